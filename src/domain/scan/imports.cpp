#include "domain/scan/imports.hpp"

#include <algorithm>
#include <unordered_map>

namespace backstay::scan {

namespace {

constexpr const char* kCommands = "runs commands or starts processes";
constexpr const char* kCode = "runs code that it is given";
constexpr const char* kReach = "reaches or changes any object by name";
constexpr const char* kLoads = "loads other pickles, modules or native code";
constexpr const char* kFiles = "reads, writes or removes files";
constexpr const char* kNetwork = "opens connections";

struct Modules {
  const char* why;
  std::string_view names;  ///< Each with everything below it.
};

constexpr Modules kDangerousModules[] = {
    {kCommands,
     "os posix nt subprocess _posixsubprocess commands popen2 pty platform imaplib paramiko fabric sh "
     "plumbum pexpect asyncio concurrent multiprocessing _multiprocessing billiard signal _signal "
     "faulthandler resource test pydoc distutils setuptools pip ensurepip venv _osx_support "
     "_aix_support _pyrepl webbrowser antigravity cmd mailcap uuid numpy.f2py numpy.distutils "
     "joblib.parallel joblib._parallel_backends loky torch.utils.cpp_extension "
     "torch.utils.collect_env torch._inductor torch.distributed torch.multiprocessing torch.testing "
     "gevent psutil win32api win32com _winapi"},
    {kFiles,
     "posixpath ntpath genericpath dbm sqlite3 _sqlite3 compileall py_compile cgitb readline shutil "
     "tempfile pathlib.Path glob fileinput linecache filecmp io _io _pyio codecs zipfile tarfile gzip "
     "bz2 lzma zipapp mmap fcntl logging netrc mailbox numpy.lib.npyio numpy.lib._npyio_impl scipy.io "
     "pandas.io joblib.memory joblib.disk torch.onnx keras.utils optparse"},
    {kReach, "sys tracemalloc inspect gc dis _codecs operator _operator functools _functools winreg"},
    {kLoads,
     "_sysconfigdata sysconfig importlib _frozen_importlib _frozen_importlib_external _imp imp "
     "pkgutil zipimport modulefinder pickle _pickle cPickle pickletools dill _dill cloudpickle "
     "jsonpickle marshal shelve yaml ctypes _ctypes cffi _cffi_backend pstats lib2to3 pkg_resources "
     "numpy.ctypeslib numpy.lib.format numpy.lib._format_impl pandas.compat.pickle_compat "
     "joblib.externals torch.hub torch.package torch.serialization torch.utils._config_module "
     "torch.utils.data.datapipes torch.utils.model_zoo torch.jit torch._C._jit keras.saving "
     "sklearn.externals transformers msvcrt"},
    {kNetwork,
     "socket _socket socketserver ssl _ssl select http httplib urllib urllib2 urllib3 requests httpx "
     "aiohttp websocket websockets ftplib smtplib smtpd poplib nntplib telnetlib xmlrpc "
     "SimpleXMLRPCServer xmlrpclib wsgiref numpy.lib._datasource scipy.datasets sklearn.datasets "
     "boto3 botocore google.cloud huggingface_hub gradio flask twisted"},
    {kCode,
     "threading _thread thread atexit sched runpy code codeop bdb pdb timeit trace profile cProfile "
     "_lsprof doctest unittest pytest _pytest nose types ast symtable idlelib site tkinter _tkinter "
     "turtle curses rlcompleter ptpython IPython numpy.testing numpy.lib.utils "
     "pandas.core.computation torch.utils.bottleneck torch._dynamo torch._export torch.export "
     "torch.fx tensorflow jinja2 mako sympy nltk django"},
};

struct Name {
  std::string_view module;
  std::string_view name;
  const char* why;
};

constexpr Name kDangerousNames[] = {
    {"numpy", "load", kLoads},
    {"numpy", "save", kFiles},
    {"numpy", "savez", kFiles},
    {"numpy", "savetxt", kFiles},
    {"numpy", "loadtxt", kFiles},
    {"numpy", "genfromtxt", kFiles},
    {"numpy", "fromfile", kFiles},
    {"numpy", "fromregex", kFiles},
    {"numpy", "memmap", kFiles},
    {"numpy", "vectorize", kCode},
    {"numpy", "frompyfunc", kCode},
    {"numpy", "apply_along_axis", kCode},
    {"numpy", "DataSource", kNetwork},
    {"numpy.core.multiarray", "fromfile", kFiles},
    {"torch", "load", kLoads},
    {"torch", "save", kFiles},
    {"torch", "compile", kCode},
    {"torch", "from_file", kFiles},
    {"torch.storage", "_load_from_bytes", kLoads},
    {"torch._utils", "_rebuild_wrapper_subclass", kCode},
    {"torch.ops", "load_library", kLoads},
    {"pandas", "read_pickle", kLoads},
    {"pandas", "read_csv", kFiles},
    {"pandas", "eval", kCode},
    {"joblib", "load", kLoads},
    {"joblib", "dump", kFiles},
    {"joblib", "Parallel", kCommands},
    {"joblib.numpy_pickle", "load", kLoads},
    {"joblib.numpy_pickle", "dump", kFiles},
    {"joblib.numpy_pickle_compat", "load_compatibility", kLoads},
    {"joblib.numpy_pickle_compat", "NDArrayWrapper", kFiles},
    {"joblib.numpy_pickle_compat", "ZNDArrayWrapper", kFiles},
    {"copyreg", "add_extension", kReach},
    {"copyreg", "pickle", kReach},
    {"copyreg", "constructor", kReach},
    {"collections", "namedtuple", kCode},
    {"sklearn.utils", "get_tags", kReach},
    {"ssl", "get_server_certificate", kNetwork},
};

// What needs no more than its own arguments, which are scanned, too: it makes containers, numbers, arrays and tensors.
constexpr Name kHarmless[] = {
    {"_codecs", "encode", "makes a plain value"},
    {"_io", "BytesIO StringIO", "makes a plain value"},
    {"builtins",
     "set frozenset list dict tuple int float complex str bytes bytearray bool object slice range "
     "Ellipsis NotImplemented",
     "makes a plain value"},
    {"collections", "OrderedDict defaultdict Counter deque", "makes a container"},
    {"copyreg", "_reconstructor __newobj__ __newobj_ex__", "makes an instance without calling its constructor"},
    {"datetime", "datetime date time timedelta timezone", "makes a plain value"},
    {"decimal", "Decimal", "makes a plain value"},
    {"fractions", "Fraction", "makes a plain value"},
    {"numpy",
     "dtype ndarray bool_ bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64 "
     "complex64 complex128 str_ bytes_ intc intp longlong ulonglong",
     "makes an array or a number"},
    {"numpy.core.multiarray", "_reconstruct scalar", "makes an array or a number"},
    {"numpy._core.multiarray", "_reconstruct scalar", "makes an array or a number"},
    {"numpy.core.numeric", "_frombuffer", "makes an array"},
    {"numpy._core.numeric", "_frombuffer", "makes an array"},
    {"joblib.numpy_pickle", "NumpyArrayWrapper", "stands for an array in the same file"},
    {"torch",
     "FloatStorage DoubleStorage HalfStorage BFloat16Storage LongStorage IntStorage ShortStorage CharStorage "
     "ByteStorage BoolStorage ComplexFloatStorage ComplexDoubleStorage QUInt8Storage QInt8Storage "
     "QInt32Storage QUInt4x2Storage QUInt2x4Storage Size device float16 float32 float64 bfloat16 int8 int16 "
     "int32 int64 uint8 bool complex64 complex128 strided",
     "makes a tensor"},
    {"torch.storage", "UntypedStorage TypedStorage", "makes a tensor"},
    {"torch._utils", "_rebuild_tensor _rebuild_tensor_v2 _rebuild_parameter", "makes a tensor"},
};

constexpr const char* kEstimator = "an estimator whose state is numbers and arrays";

// Estimators whose __setstate__ is BaseEstimator's (a dict of attributes), whose __new__ and __reduce__ are object's
// (tests/e2e/test_scan.py asks the installed scikit-learn), and whose prediction is arithmetic on NumPy arrays: nothing
// in their state is called, opened, or trusted as an index by native code. Trees, forests, neighbours, text vectorizers
// and FunctionTransformer are not.
constexpr Name kEstimators[] = {
    {"sklearn.linear_model._logistic", "LogisticRegression", kEstimator},
    {"sklearn.linear_model._base", "LinearRegression", kEstimator},
    {"sklearn.linear_model._ridge", "Ridge RidgeClassifier", kEstimator},
    {"sklearn.linear_model._coordinate_descent", "Lasso ElasticNet", kEstimator},
    {"sklearn.linear_model._bayes", "BayesianRidge", kEstimator},
    {"sklearn.linear_model._huber", "HuberRegressor", kEstimator},
    {"sklearn.svm._classes", "LinearSVC LinearSVR", kEstimator},
    {"sklearn.naive_bayes", "GaussianNB MultinomialNB BernoulliNB ComplementNB", kEstimator},
    {"sklearn.discriminant_analysis", "LinearDiscriminantAnalysis QuadraticDiscriminantAnalysis", kEstimator},
    {"sklearn.neural_network._multilayer_perceptron", "MLPClassifier MLPRegressor", kEstimator},
    {"sklearn.preprocessing._data", "StandardScaler MinMaxScaler MaxAbsScaler RobustScaler Normalizer Binarizer",
     kEstimator},
    {"sklearn.preprocessing._label", "LabelEncoder LabelBinarizer", kEstimator},
    {"sklearn.preprocessing._encoders", "OneHotEncoder OrdinalEncoder", kEstimator},
    {"sklearn.decomposition._pca", "PCA", kEstimator},
    {"sklearn.decomposition._truncated_svd", "TruncatedSVD", kEstimator},
    {"sklearn.feature_selection._variance_threshold", "VarianceThreshold", kEstimator},
    {"sklearn.impute._base", "SimpleImputer", kEstimator},
    {"sklearn.dummy", "DummyClassifier DummyRegressor", kEstimator},
    {"sklearn.pipeline", "Pipeline FeatureUnion", kEstimator},
};

// What Python 3 loads for modules of Python 2 (Lib/_compat_pickle.py), as far as a verdict depends on it.
std::string_view today(std::string_view module) {
  if (module == "__builtin__" || module == "__builtins__" || module == "exceptions") return "builtins";
  if (module == "copy_reg") return "copyreg";
  return module;
}

using Harmless = std::unordered_map<std::string, Judgement>;

template <class Visit>
void for_each_word(std::string_view words, const Visit& visit) {
  while (!words.empty()) {
    const std::size_t end = std::min(words.find(' '), words.size());
    if (end > 0) visit(words.substr(0, end));
    words.remove_prefix(std::min(end + 1, words.size()));
  }
}

void add_names(Harmless& known, const Name& group, bool only_instances) {
  for_each_word(group.name, [&](std::string_view name) {
    known[std::string(group.module) + '\n' + std::string(name)] = {Verdict::kSafe, only_instances, group.why};
  });
}

const Harmless& harmless() {
  static const Harmless known = [] {
    Harmless all;
    for (const Name& group : kHarmless) add_names(all, group, false);
    for (const Name& group : kEstimators) add_names(all, group, true);
    return all;
  }();
  return known;
}

const std::unordered_map<std::string_view, const char*>& dangerous_modules() {
  static const auto known = [] {
    std::unordered_map<std::string_view, const char*> all;
    for (const Modules& group : kDangerousModules)
      for_each_word(group.names, [&](std::string_view name) { all.emplace(name, group.why); });
    return all;
  }();
  return known;
}

/// The reason when the module or one above it is known to be dangerous.
const char* module_danger(std::string_view module) {
  while (true) {
    const auto found = dangerous_modules().find(module);
    if (found != dangerous_modules().end()) return found->second;
    const std::size_t dot = module.rfind('.');
    if (dot == std::string_view::npos) return nullptr;
    module = module.substr(0, dot);
  }
}

/// A dotted name walks from attribute to attribute: into other modules, or into what a class is made of.
const char* path_danger(std::string_view name) {
  if (name.find('.') == std::string_view::npos) return nullptr;
  while (!name.empty()) {
    const std::size_t dot = std::min(name.find('.'), name.size());
    const std::string_view part = name.substr(0, dot);
    if (part.starts_with("__")) return kReach;
    if (const char* why = module_danger(part)) return why;
    name.remove_prefix(std::min(dot + 1, name.size()));
  }
  return nullptr;
}

bool is_exception(std::string_view name) {
  return name.ends_with("Error") || name.ends_with("Exception") || name.ends_with("Warning");
}

}  // namespace

Judgement judge_import(std::string_view module, std::string_view name) {
  module = today(module);
  const auto found = harmless().find(std::string(module) + '\n' + std::string(name));
  if (found != harmless().end()) return found->second;
  if (const char* why = module_danger(module)) return {Verdict::kDangerous, false, why};
  for (const Name& each : kDangerousNames) {
    const bool same = name == each.name || (name.starts_with(each.name) && name[each.name.size()] == '.');
    if (module == each.module && same) return {Verdict::kDangerous, false, each.why};
  }
  if (module == "builtins" && !is_exception(name)) return {Verdict::kDangerous, false, kReach};
  if (module == "__main__" || module.find("__") == 0)
    return {Verdict::kSuspicious, false, "depends on the program that loads it"};
  if (const char* why = path_danger(name)) return {Verdict::kDangerous, false, why};
  return {Verdict::kSuspicious, false, "is not known to be harmless"};
}

}  // namespace backstay::scan
