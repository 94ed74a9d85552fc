#include <gmock/gmock.h>

#include "domain/lineage/graph.hpp"
#include "domain/lineage/subject.hpp"

namespace backstay::lineage {
namespace {

using testing::HasSubstr;
using testing::Not;

Graph small() {
  Graph graph;
  const std::size_t slice = graph.add({NodeKind::kData, "wdbc/site-d", "86 rows", true});
  const std::size_t version = graph.add({NodeKind::kVersion, "breast-cancer@2.0.0", "Staging", false});
  const std::size_t endpoint = graph.add({NodeKind::kEndpoint, "diagnosis", "", false});
  graph.connect(slice, version, "training");
  graph.connect(version, endpoint, "5%");
  graph.connect(version, endpoint, "5%");
  return graph;
}

TEST(LineageGraph, ANodeAndAnEdgeAreThereOnce) {
  Graph graph = small();
  EXPECT_EQ(graph.add({NodeKind::kEndpoint, "diagnosis", "", true}), 2u);
  EXPECT_TRUE(graph.nodes()[2].marked);
  EXPECT_EQ(graph.edges().size(), 2u);
}

TEST(LineageGraph, MermaidNamesNodesEdgesAndWhatIsMarked) {
  const std::string text = small().mermaid();
  EXPECT_THAT(text, HasSubstr("n0[\"wdbc/site-d<br/><small>86 rows</small>\"]:::marked\n"));
  EXPECT_THAT(text, HasSubstr("  n0 -- \"training\" --> n1\n"));
}

TEST(LineageGraph, SvgPutsWhatWasMadeToTheRight) {
  const std::string text = small().svg();
  EXPECT_THAT(text, HasSubstr("<rect x=\"20\" y=\"20\""));
  EXPECT_THAT(text, HasSubstr("<rect x=\"310\" y=\"20\""));
  EXPECT_THAT(text, HasSubstr("<rect x=\"600\" y=\"20\""));
}

TEST(LineageGraph, NamesCannotBreakOutOfTheirText) {
  Graph graph;
  graph.add({NodeKind::kData, "\"]; click n0 href \"javascript:x\"<script>", "`&'", false});
  EXPECT_THAT(graph.mermaid(), Not(HasSubstr("<script>")));
  EXPECT_THAT(graph.mermaid(), HasSubstr("n0[\"&quot;]; click"));
  EXPECT_THAT(graph.svg(), Not(HasSubstr("<script>")));
}

TEST(LineageGraph, ACycleStillEnds) {
  Graph graph;
  const std::size_t a = graph.add({NodeKind::kVersion, "a", "", false});
  const std::size_t b = graph.add({NodeKind::kVersion, "b", "", false});
  graph.connect(a, b);
  graph.connect(b, a);
  EXPECT_THAT(graph.svg(), HasSubstr("</svg>"));
}

TEST(LineageSubject, ConcernsWhatTheManifestNames) {
  registry::Manifest manifest;
  manifest.ref = registry::VersionRef::parse("m@1.0.0").value();
  manifest.code.commit = "5e6f7a8";
  manifest.data = {{"wdbc", "training", "", {{"site-d", sha256("rows"), 86, ""}}}};
  using Kind = Subject::Kind;
  for (const Subject& subject :
       {Subject{Kind::kSlice, "wdbc/site-d"}, Subject{Kind::kSliceDigest, sha256("rows").hex()},
        Subject{Kind::kDataSet, "wdbc"}, Subject{Kind::kCommit, "5e6f7a8"}, Subject{Kind::kVersion, "m@1.0.0"}})
    EXPECT_TRUE(concerns(subject, manifest)) << describe(subject);
  for (const Subject& subject :
       {Subject{Kind::kSlice, "wdbc/site-e"}, Subject{Kind::kSliceDigest, sha256("row").hex()},
        Subject{Kind::kDataSet, "site-d"}, Subject{Kind::kCommit, "5e6f7a"}, Subject{Kind::kVersion, "m@1.0.1"}})
    EXPECT_FALSE(concerns(subject, manifest)) << describe(subject);
}

}  // namespace
}  // namespace backstay::lineage
