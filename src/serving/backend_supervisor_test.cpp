#include "serving/backend_supervisor.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <condition_variable>
#include <fstream>
#include <mutex>
#include <thread>

#include "base/temporary_folder.hpp"
#include "serving/child_process.hpp"
#include "serving/health_probe.hpp"

namespace backstay::serving {
namespace {

namespace fs = std::filesystem;

// Serves 200 for everything; writes its pid and, when asked, its child's to a file.
constexpr const char* kServer = R"(
import http.server, os, subprocess, sys
port, pids = int(sys.argv[1]), sys.argv[2]
child = subprocess.Popen(["sleep", "1000"])
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.send_header("Content-Length", "0"); self.end_headers()
    def log_message(self, *args): pass
server = http.server.HTTPServer(("127.0.0.1", port), Handler)
with open(pids, "a") as f: f.write(f"{os.getpid()} {child.pid}\n")
print('{"port":%d}' % server.server_port, flush=True)
server.serve_forever()
)";

class BackendSupervisorTest : public ::testing::Test {
 protected:
  void SetUp() override {
    supervisor = BackendSupervisor::create(folder / "logs", [this](const BackendStatus& status) {
                   const std::lock_guard lock(mutex);
                   seen.push_back(status);
                   changed.notify_all();
                 }).value();
  }
  void TearDown() override { supervisor.reset(); }

  BackendSpec python(const char* script, const std::string& port = "0") const {
    BackendSpec spec;
    spec.endpoint = "diagnosis";
    spec.version = "1.0.0";
    spec.kind = BackendSpec::Kind::kProcess;
    spec.command = {"/usr/bin/python3", "-c", script, port, folder / "pids"};
    spec.port_from_stdout = port == "0";
    spec.health_interval = milliseconds(20);
    return spec;
  }
  /// Waits for the nth status in this state.
  BackendStatus await(BackendState state, int nth = 1) {
    std::unique_lock lock(mutex);
    BackendStatus found;
    const auto there = [&] {
      int count = 0;
      for (const BackendStatus& status : seen) {
        if (status.state != state || ++count < nth) continue;
        found = status;
        return true;
      }
      return false;
    };
    EXPECT_TRUE(changed.wait_for(lock, seconds(60), there)) << to_string(state);
    return found;
  }
  std::vector<std::pair<pid_t, pid_t>> pids() const {
    std::ifstream in(folder / "pids");
    std::vector<std::pair<pid_t, pid_t>> all;
    for (pid_t own = 0, child = 0; in >> own >> child;) all.emplace_back(own, child);
    return all;
  }
  static bool alive(pid_t pid) {
    std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
    std::string number, name, state;
    return stat >> number >> name >> state && state != "Z";
  }
  /// A killed process takes a moment to be gone.
  static bool gone(pid_t pid) {
    const auto end = std::chrono::steady_clock::now() + seconds(60);
    while (alive(pid) && std::chrono::steady_clock::now() < end) std::this_thread::yield();
    return !alive(pid);
  }

  const TemporaryFolder temporary;
  const fs::path folder = temporary.path();
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<BackendStatus> seen;
  std::unique_ptr<BackendSupervisor> supervisor;
};

TEST_F(BackendSupervisorTest, StartsAProcessAndSaysWhereItIs) {
  ASSERT_TRUE(supervisor->ensure(python(kServer)));
  const BackendStatus ready = await(BackendState::kReady);
  EXPECT_EQ(ready.host, "127.0.0.1");
  EXPECT_GT(ready.port, 0);
  ASSERT_EQ(supervisor->snapshot().size(), 1u);
}

TEST_F(BackendSupervisorTest, GivesAFreePortInPlaceOfThePlaceholder) {
  ASSERT_TRUE(supervisor->ensure(python(kServer, "{port}")));
  EXPECT_GT(await(BackendState::kReady).port, 0);
}

TEST_F(BackendSupervisorTest, RestartsWhatWasKilled) {
  ASSERT_TRUE(supervisor->ensure(python(kServer)));
  await(BackendState::kReady);
  kill(pids()[0].first, SIGKILL);
  EXPECT_NE(await(BackendState::kBackingOff).detail.find("signal 9"), std::string::npos);
  EXPECT_EQ(await(BackendState::kReady, 2).restarts, 1u);
  ASSERT_EQ(pids().size(), 2u);
  EXPECT_NE(pids()[0].first, pids()[1].first);
  EXPECT_TRUE(gone(pids()[0].second)) << "the killed process's child is still there";
}

TEST_F(BackendSupervisorTest, StopsAProcessWithItsChildren) {
  ASSERT_TRUE(supervisor->ensure(python(kServer)));
  await(BackendState::kReady);
  supervisor->release("diagnosis", "1.0.0");
  supervisor.reset();
  ASSERT_EQ(pids().size(), 1u);
  EXPECT_TRUE(gone(pids()[0].first));
  EXPECT_TRUE(gone(pids()[0].second));
}

TEST_F(BackendSupervisorTest, KillsWhatIgnoresTheRequestToStop) {
  BackendSpec spec = python("import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n");
  spec.command[2] += kServer;
  spec.stop_grace = milliseconds(100);
  ASSERT_TRUE(supervisor->ensure(spec));
  await(BackendState::kReady);
  supervisor.reset();
  EXPECT_TRUE(gone(pids()[0].first));
}

TEST_F(BackendSupervisorTest, GivesUpWhatNeverBecomesHealthyAndSaysWhy) {
  BackendSpec spec = python("import time; print('loading weights', flush=True); time.sleep(1000)", "{port}");
  spec.start_timeout = milliseconds(300);
  ASSERT_TRUE(supervisor->ensure(spec));
  const BackendStatus failed = await(BackendState::kFailed);
  EXPECT_NE(failed.detail.find("not healthy within 300ms"), std::string::npos) << failed.detail;
  EXPECT_NE(failed.detail.find("diagnosis-1.0.0.log"), std::string::npos);
}

TEST_F(BackendSupervisorTest, KeepsTheOutputAndNamesTheLastLineAndTheStatus) {
  ASSERT_TRUE(supervisor->ensure(python("import sys; print('no such operator: Foo'); sys.exit(3)")));
  const BackendStatus gone = await(BackendState::kBackingOff);
  EXPECT_NE(gone.detail.find("status 3"), std::string::npos);
  EXPECT_NE(gone.detail.find("no such operator: Foo"), std::string::npos);
  std::ifstream log(folder / "logs/diagnosis-1.0.0.log");
  std::string line;
  std::getline(log, line);
  EXPECT_EQ(line, "no such operator: Foo");
}

TEST_F(BackendSupervisorTest, NamesACommandThatCannotBeRun) {
  BackendSpec spec = python("");
  spec.command = {"/no/such/program"};
  ASSERT_TRUE(supervisor->ensure(spec));
  EXPECT_NE(await(BackendState::kBackingOff).detail.find("/no/such/program"), std::string::npos);
}

TEST_F(BackendSupervisorTest, WatchesAUrl) {
  ASSERT_TRUE(supervisor->ensure(python(kServer)));
  const BackendStatus process = await(BackendState::kReady);
  BackendSpec spec;
  spec.endpoint = "other";
  spec.version = "1.0.0";
  spec.url = "http://localhost:" + std::to_string(process.port);
  spec.health_interval = milliseconds(20);
  ASSERT_TRUE(supervisor->ensure(spec));
  EXPECT_EQ(await(BackendState::kReady, 2).port, process.port);
  supervisor->release("diagnosis", "1.0.0");
  EXPECT_EQ(await(BackendState::kUnhealthy).endpoint, "other");
}

TEST_F(BackendSupervisorTest, RefusesWhatIsNoUrl) {
  BackendSpec spec;
  spec.endpoint = "other";
  for (const char* url : {"", "ftp://x", "http://", "http://host:99999", "http://host:80/path"}) {
    spec.url = url;
    EXPECT_FALSE(supervisor->ensure(spec)) << url;
  }
}

TEST(ChildProcess, DoesNotHandSecretsDown) {
  EXPECT_TRUE(looks_secret("BACKSTAY_TOKEN"));
  EXPECT_TRUE(looks_secret("aws_secret_access_key"));
  EXPECT_FALSE(looks_secret("PATH"));
}

}  // namespace
}  // namespace backstay::serving
