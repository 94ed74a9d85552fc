#include "domain/lineage/graph.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace backstay::lineage {

namespace {

const char* class_of(NodeKind kind) {
  switch (kind) {
    case NodeKind::kData: return "data";
    case NodeKind::kCode: return "code";
    case NodeKind::kConfig: return "config";
    case NodeKind::kVersion: return "version";
    case NodeKind::kEndpoint: return "endpoint";
    case NodeKind::kPrediction: return "prediction";
  }
  return "version";
}

const char* fill_of(NodeKind kind) {
  switch (kind) {
    case NodeKind::kData: return "#d7e8d4";
    case NodeKind::kCode: return "#dfe3f5";
    case NodeKind::kConfig: return "#f3ead2";
    case NodeKind::kVersion: return "#ffffff";
    case NodeKind::kEndpoint: return "#d6ecf3";
    case NodeKind::kPrediction: return "#f1dff0";
  }
  return "#ffffff";
}

constexpr NodeKind kKinds[] = {NodeKind::kData,    NodeKind::kCode,     NodeKind::kConfig,
                               NodeKind::kVersion, NodeKind::kEndpoint, NodeKind::kPrediction};

/// Names come from manifests: nothing in them may end the text they stand in. XML's entities do for Mermaid, too.
std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      case '`': out += "&#96;"; break;
      default: out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
    }
  }
  return out;
}

/// At most `longest` characters (UTF-8 sequences stay whole).
std::string shortened(const std::string& text, std::size_t longest) {
  std::size_t characters = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xc0) == 0x80) continue;
    if (++characters > longest) return text.substr(0, i) + "…";
  }
  return text;
}

constexpr int kWidth = 210;
constexpr int kHeight = 46;
constexpr int kGapX = 80;
constexpr int kGapY = 18;
constexpr int kMargin = 20;

}  // namespace

std::size_t Graph::add(Node node) {
  const auto found = std::find_if(nodes_.begin(), nodes_.end(),
                                  [&](const Node& n) { return n.kind == node.kind && n.name == node.name; });
  if (found != nodes_.end()) {
    found->marked = found->marked || node.marked;
    return static_cast<std::size_t>(found - nodes_.begin());
  }
  nodes_.push_back(std::move(node));
  return nodes_.size() - 1;
}

void Graph::connect(std::size_t from, std::size_t to, const std::string& label) {
  const bool known = std::any_of(edges_.begin(), edges_.end(), [&](const Edge& edge) {
    return edge.from == from && edge.to == to && edge.label == label;
  });
  if (!known) edges_.push_back({from, to, label});
}

std::string Graph::mermaid() const {
  std::string out = "flowchart LR\n";
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const Node& node = nodes_[i];
    const std::string text =
        escaped(node.name) + (node.detail.empty() ? "" : "<br/><small>" + escaped(node.detail) + "</small>");
    out += fmt::format("  n{}[\"{}\"]:::{}\n", i, text, node.marked ? "marked" : class_of(node.kind));
  }
  for (const Edge& edge : edges_) {
    out += edge.label.empty() ? fmt::format("  n{} --> n{}\n", edge.from, edge.to)
                              : fmt::format("  n{} -- \"{}\" --> n{}\n", edge.from, escaped(edge.label), edge.to);
  }
  for (const NodeKind kind : kKinds)
    out += fmt::format("  classDef {} fill:{},stroke:#555,color:#111\n", class_of(kind), fill_of(kind));
  return out + "  classDef marked fill:#f8d7d4,stroke:#b3261e,stroke-width:2px,color:#111\n";
}

std::vector<std::size_t> Graph::layers() const {
  std::vector<std::size_t> layer(nodes_.size(), 0);
  // Every way has fewer edges than there are nodes; the bound also ends it should there be a cycle.
  for (std::size_t round = 0; round < nodes_.size(); ++round) {
    bool moved = false;
    for (const Edge& edge : edges_) {
      if (layer[edge.to] > layer[edge.from]) continue;
      layer[edge.to] = std::min(layer[edge.from] + 1, nodes_.size());
      moved = true;
    }
    if (!moved) break;
  }
  return layer;
}

std::string Graph::svg() const {
  const std::vector<std::size_t> layer = layers();
  std::vector<int> used;
  std::vector<std::pair<int, int>> places;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (used.size() <= layer[i]) used.resize(layer[i] + 1, 0);
    places.emplace_back(kMargin + static_cast<int>(layer[i]) * (kWidth + kGapX),
                        kMargin + used[layer[i]]++ * (kHeight + kGapY));
  }
  const int columns = static_cast<int>(used.size());
  const int rows = used.empty() ? 0 : *std::max_element(used.begin(), used.end());
  const int width = 2 * kMargin + columns * kWidth + std::max(columns - 1, 0) * kGapX;
  const int height = 2 * kMargin + rows * kHeight + std::max(rows - 1, 0) * kGapY;
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" "
      "font-family=\"system-ui, sans-serif\" font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" "
      "fill=\"#fafafa\"/>\n<defs><marker id=\"a\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"7\" "
      "markerHeight=\"7\" orient=\"auto\"><path d=\"M0 0 8 4 0 8z\" fill=\"#777\"/></marker></defs>\n",
      width, height);
  for (const Edge& edge : edges_) {
    const int x1 = places[edge.from].first + kWidth;
    const int y1 = places[edge.from].second + kHeight / 2;
    const int x2 = places[edge.to].first;
    const int y2 = places[edge.to].second + kHeight / 2;
    out += fmt::format("<path d=\"M{} {}C{} {} {} {} {} {}\" fill=\"none\" stroke=\"#777\" marker-end=\"url(#a)\"/>\n",
                       x1, y1, x1 + kGapX / 2, y1, x2 - kGapX / 2, y2, x2, y2);
    if (!edge.label.empty())
      out += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"middle\" font-size=\"10\" fill=\"#555\">{}</text>\n",
                         (x1 + x2) / 2, (y1 + y2) / 2 - 4, escaped(shortened(edge.label, 14)));
  }
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const Node& node = nodes_[i];
    const auto [x, y] = places[i];
    out += fmt::format(
        "<g><title>{}</title><rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"6\" fill=\"{}\" stroke=\"{}\" "
        "stroke-width=\"{}\"/>",
        escaped(node.name + " " + node.detail), x, y, kWidth, kHeight, node.marked ? "#f8d7d4" : fill_of(node.kind),
        node.marked ? "#b3261e" : "#555", node.marked ? 2 : 1);
    out += fmt::format("<text x=\"{}\" y=\"{}\" fill=\"#111\">{}</text>", x + 10, y + (node.detail.empty() ? 28 : 20),
                       escaped(shortened(node.name, 27)));
    if (!node.detail.empty())
      out += fmt::format("<text x=\"{}\" y=\"{}\" font-size=\"10\" fill=\"#444\">{}</text>", x + 10, y + 36,
                         escaped(shortened(node.detail, 36)));
    out += "</g>\n";
  }
  return out + "</svg>\n";
}

}  // namespace backstay::lineage
