#include "app/classifier_config.hpp"

#include <gtest/gtest.h>

#include <atomic>

namespace backstay::app {
namespace {

class NoMessages : public Messenger {
 public:
  Result<Sent> send(const Message&) const override { return Unexpected(ErrorCode::kUnavailable, "Nobody is there."); }
};

ClassifierConfig model_classifier(const std::string& model, std::optional<std::uint64_t> index) {
  ClassifierConfig out;
  out.name = "toxic";
  out.kind = ClassifierConfig::Kind::kModel;
  out.model = model;
  out.index = index;
  return out;
}

TEST(ExaminerFactory, AVersionThatJudgesForSeveralEndpointsIsServedOnce) {
  NoMessages messages;
  std::atomic<int> checked{0};
  ExaminerFactory factory({messages,
                           {},
                           [&](const registry::VersionRef&) -> Result<void> {
                             ++checked;
                             return {};
                           },
                           [](const registry::VersionRef&, const evaluation::BackendChoice&,
                              const std::stop_token&) -> Result<std::unique_ptr<ModelRunner>> {
                             return Unexpected(ErrorCode::kUnavailable, "There is no memory.");
                           }});
  std::vector<std::vector<monitor::ExaminerConfig>> endpoints;
  const auto make = [&](const ClassifierConfig& config) {
    endpoints.push_back(factory.make({"", "toxic"}, {config}).value());
    EXPECT_EQ(endpoints.back().size(), 2U);
    EXPECT_EQ(endpoints.back()[0].classifier, nullptr) << "the signature";
    EXPECT_NE(endpoints.back()[1].classifier, nullptr);
  };
  make(model_classifier("toxic-text@1.0.0", 1));
  make(model_classifier("toxic-text@1.0.0", 0));
  EXPECT_EQ(checked, 1) << "another number of the same answers";
  EXPECT_NE(endpoints[0][1].classifier, endpoints[1][1].classifier);
  make(model_classifier("toxic-text@1.1.0", 1));
  EXPECT_EQ(checked, 2);
  ClassifierConfig elsewhere = model_classifier("toxic-text@1.0.0", 1);
  elsewhere.backend.threads = 2;
  make(elsewhere);
  EXPECT_EQ(checked, 3) << "served in another way";
}

TEST(ExaminerFactory, SaysWhichClassifierCannotBeServed) {
  NoMessages messages;
  ExaminerFactory factory({messages,
                           {},
                           [](const registry::VersionRef& ref) -> Result<void> {
                             return Unexpected(ErrorCode::kNotFound, "There is no " + ref.str() + ".");
                           },
                           {}});
  const auto made = factory.make({"toxic"}, {model_classifier("toxic-text@2.0.0", {})});
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().message.find("'toxic'"), std::string::npos) << made.error().message;
  EXPECT_NE(made.error().message.find("toxic-text@2.0.0"), std::string::npos);
}

}  // namespace
}  // namespace backstay::app
