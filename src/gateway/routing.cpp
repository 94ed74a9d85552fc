#include "gateway/routing.hpp"

#include <algorithm>

namespace backstay::gateway {

RoutingCell::RoutingCell() : table_(std::make_shared<RoutingTable>()) {}

void RoutingCell::publish(std::shared_ptr<const RoutingTable> table) {
  const std::lock_guard lock(mutex_);
  table_ = std::move(table);
  number_.store(table_->number, std::memory_order_release);
}

std::shared_ptr<const RoutingTable> RoutingCell::table() const {
  const std::lock_guard lock(mutex_);
  return table_;
}

void RoutingReader::refresh() {
  current_ = TablePin(new TablePin::Held{cell_.table()});
}

RoutingDirectory::RoutingDirectory(RoutingCell& cell, std::vector<std::string> endpoints)
    : cell_(cell), endpoints_(std::move(endpoints)), splits_(endpoints_.size()), routings_(endpoints_.size()) {
  publish_table();
}

std::optional<std::uint32_t> RoutingDirectory::index_of(const std::string& endpoint) const {
  const auto found = std::find(endpoints_.begin(), endpoints_.end(), endpoint);
  if (found == endpoints_.end()) return std::nullopt;
  return static_cast<std::uint32_t>(found - endpoints_.begin());
}

void RoutingDirectory::publish(const std::string& endpoint, const traffic::Split& split) {
  const auto index = index_of(endpoint);
  if (!index) return;
  splits_[*index] = split;
  routings_[*index] = routing_of(*index);
  publish_table();
}

void RoutingDirectory::set_serving(const std::string& endpoint, const std::string& version, std::uint32_t number) {
  const auto index = index_of(endpoint);
  if (!index) return;
  std::uint32_t& known = servings_[number_of(*index, version)];
  if (known == number) return;
  known = number;
  routings_[*index] = routing_of(*index);
  publish_table();
}

void RoutingDirectory::set_address(const std::string& endpoint, const std::string& version,
                                   std::optional<Address> address) {
  const auto index = index_of(endpoint);
  if (!index) return;
  Address& known = addresses_[number_of(*index, version)];
  const Address wanted = address.value_or(Address{});
  if (known == wanted) return;
  known = wanted;
  routings_[*index] = routing_of(*index);
  publish_table();
}

const traffic::Split& RoutingDirectory::split(const std::string& endpoint) const {
  static const traffic::Split kNone;
  const auto index = index_of(endpoint);
  return index ? splits_[*index] : kNone;
}

VersionNumber RoutingDirectory::number_of(std::uint32_t endpoint, const std::string& version) {
  const auto [place, added] = numbers_.try_emplace({endpoint, version}, static_cast<VersionNumber>(names_.size()));
  if (added) {
    names_.push_back({endpoint, version});
    addresses_.emplace_back();
    servings_.push_back(0);
  }
  return place->second;
}

Arm RoutingDirectory::arm_of(std::uint32_t endpoint, const std::string& version, traffic::Role role) {
  const VersionNumber number = number_of(endpoint, version);
  return {number, role, addresses_[number], version, servings_[number]};
}

EndpointRouting RoutingDirectory::routing_of(std::uint32_t endpoint) {
  EndpointRouting routing;
  routing.split = splits_[endpoint];
  routing.salt = endpoints_[endpoint];
  for (const traffic::Share& share : routing.split.arms) {
    if (share.version == routing.split.fallback) routing.fallback = routing.arms.size();
    if (share.role == traffic::Role::kCandidate) {
      routing.candidate_ppm = share.ppm;
      routing.salt += "/" + share.version;
    }
    routing.arms.push_back(arm_of(endpoint, share.version, share.role));
  }
  if (!routing.split.shadow.empty()) routing.shadow = arm_of(endpoint, routing.split.shadow, traffic::Role::kShadow);
  return routing;
}

void RoutingDirectory::publish_table() {
  auto table = std::make_shared<RoutingTable>();
  table->number = ++table_number_;
  table->endpoints = routings_;
  cell_.publish(std::move(table));
}

void RouteMap::add(std::string prefix, std::uint32_t endpoint) {
  while (prefix.size() > 1 && prefix.back() == '/') prefix.pop_back();
  longest_ = std::max(longest_, prefix.size());
  prefixes_.insert_or_assign(std::move(prefix), endpoint);
}

std::optional<std::uint32_t> RouteMap::find(std::string_view target) const {
  constexpr std::string_view kBoundaries = "/:";
  std::string_view path = target.substr(0, target.find('?'));
  // No prefix is longer than longest_, so a longer path is cut at the first boundary that could still match.
  if (path.size() > longest_ && kBoundaries.find(path[longest_]) == std::string_view::npos) {
    const std::size_t boundary = path.substr(0, longest_).find_last_of(kBoundaries);
    if (boundary == std::string_view::npos) return std::nullopt;
    path = path.substr(0, boundary);
  } else {
    path = path.substr(0, longest_);
  }
  while (!path.empty()) {
    if (const auto found = prefixes_.find(path); found != prefixes_.end()) return found->second;
    const std::size_t boundary = path.find_last_of(kBoundaries);
    path = boundary == std::string_view::npos ? std::string_view() : path.substr(0, boundary);
  }
  const auto root = prefixes_.find("/");
  return root == prefixes_.end() ? std::nullopt : std::optional(root->second);
}

}  // namespace backstay::gateway
