#pragma once

#include <string>
#include <vector>

namespace backstay::lineage {

enum class NodeKind : std::uint8_t { kData, kCode, kConfig, kVersion, kEndpoint, kPrediction };

struct Node {
  NodeKind kind = NodeKind::kVersion;
  std::string name;     ///< Unique within its kind.
  std::string detail;   ///< A second, smaller line. May be empty.
  bool marked = false;  ///< What the question was about, or what is blocked.
};

/// A picture of lineage. Edges point from what was there first to what was made from it; there are no cycles among
/// versions, because a version's parents are registered before it.
class Graph {
 public:
  /// The node's place; the same kind and name is the same node (its first detail stays, a mark is kept).
  std::size_t add(Node node);
  void connect(std::size_t from, std::size_t to, const std::string& label = "");

  struct Edge {
    std::size_t from = 0;
    std::size_t to = 0;
    std::string label;
  };
  const std::vector<Node>& nodes() const { return nodes_; }
  const std::vector<Edge>& edges() const { return edges_; }

  /// A Mermaid flowchart, as Markdown on most forges shows it.
  std::string mermaid() const;
  /// A drawing that stands alone: layers from left to right by the longest way from a source, no scripts.
  std::string svg() const;

 private:
  std::vector<std::size_t> layers() const;
  std::vector<Node> nodes_;
  std::vector<Edge> edges_;
};

}  // namespace backstay::lineage
