#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "domain/traffic/split.hpp"
#include "gateway/socket.hpp"
#include "ports/routing.hpp"

/// Where requests go, as the data plane sees it: an immutable table that is replaced as a whole.
namespace backstay::gateway {

/// Numbers (endpoint, version) pairs for the life of the process, so that an outcome can name its version in 4 bytes.
using VersionNumber = std::uint32_t;

struct Arm {
  VersionNumber number = 0;
  traffic::Role role = traffic::Role::kStable;
  Address address;  ///< None: the backend isn't ready.
  std::string version;
  std::uint32_t serving = 0;  ///< Its number in prediction ids; 0 = not known.
};

/// One endpoint's part of the table.
struct EndpointRouting {
  traffic::Split split;
  std::vector<Arm> arms;  ///< In the order of split.arms.
  std::size_t fallback = 0;
  std::optional<Arm> shadow;
  std::uint32_t candidate_ppm = 0;
  std::string salt;  ///< For sticky draws: differs per candidate.
  bool in_rollout() const { return candidate_ppm > 0; }
};

struct RoutingTable {
  std::uint64_t number = 0;
  std::vector<EndpointRouting> endpoints;  ///< Without arms: nothing is deployed there.
};

/// Holds the table that is in force. publish() from one thread, readers on any.
class RoutingCell {
 public:
  RoutingCell();
  void publish(std::shared_ptr<const RoutingTable> table);
  std::uint64_t number() const { return number_.load(std::memory_order_acquire); }
  std::shared_ptr<const RoutingTable> table() const;

 private:
  std::atomic<std::uint64_t> number_{0};
  mutable std::mutex mutex_;
  std::shared_ptr<const RoutingTable> table_;
};

/// A table that one thread's requests hold on to; counted without atomics.
class TablePin {
 public:
  TablePin() = default;
  TablePin(const TablePin& other) : held_(other.held_) {
    if (held_ != nullptr) ++held_->users;
  }
  TablePin& operator=(TablePin other) noexcept {
    std::swap(held_, other.held_);
    return *this;
  }
  ~TablePin() {
    if (held_ != nullptr && --held_->users == 0) delete held_;
  }
  const RoutingTable& operator*() const { return *held_->table; }
  const RoutingTable* operator->() const { return held_->table.get(); }
  explicit operator bool() const { return held_ != nullptr; }

 private:
  friend class RoutingReader;
  struct Held {
    std::shared_ptr<const RoutingTable> table;
    std::size_t users = 1;
  };
  explicit TablePin(Held* held) : held_(held) {}
  Held* held_ = nullptr;
};

/// One thread's view of the cell: reading is one atomic load; the mutex is taken only when the table has changed.
class RoutingReader {
 public:
  explicit RoutingReader(const RoutingCell& cell) : cell_(cell) {}
  TablePin pin() {
    if (!current_ || current_->number != cell_.number()) refresh();
    return current_;
  }

 private:
  void refresh();
  const RoutingCell& cell_;
  TablePin current_;
};

/// Makes the tables: knows every endpoint's split and where each version's backend is. One thread (the monitor's).
class RoutingDirectory : public RoutingPublisher {
 public:
  RoutingDirectory(RoutingCell& cell, std::vector<std::string> endpoints);

  void publish(const std::string& endpoint, const traffic::Split& split) override;
  /// nullopt: the backend is not ready; its requests fail at once (and are replayed) instead of waiting.
  void set_address(const std::string& endpoint, const std::string& version, std::optional<Address> address);
  /// What prediction ids call a version behind an endpoint.
  void set_serving(const std::string& endpoint, const std::string& version, std::uint32_t number);

  const traffic::Split& split(const std::string& endpoint) const;
  struct Named {
    std::uint32_t endpoint = 0;
    std::string version;
  };
  const Named& named(VersionNumber number) const { return names_[number]; }

 private:
  std::optional<std::uint32_t> index_of(const std::string& endpoint) const;
  VersionNumber number_of(std::uint32_t endpoint, const std::string& version);
  Arm arm_of(std::uint32_t endpoint, const std::string& version, traffic::Role role);
  EndpointRouting routing_of(std::uint32_t endpoint);
  void publish_table();

  RoutingCell& cell_;
  std::vector<std::string> endpoints_;
  std::vector<traffic::Split> splits_;
  std::vector<EndpointRouting> routings_;
  std::map<std::pair<std::uint32_t, std::string>, VersionNumber> numbers_;
  std::vector<Named> names_;
  std::vector<Address> addresses_;       ///< By version number.
  std::vector<std::uint32_t> servings_;  ///< Likewise.
  std::uint64_t table_number_ = 0;
};

/// Finds the endpoint of a request's path by the longest prefix that ends at a "/", a ":" (/v1/models/m:predict) or at
/// the path's end.
class RouteMap {
 public:
  void add(std::string prefix, std::uint32_t endpoint);
  std::optional<std::uint32_t> find(std::string_view target) const;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  std::unordered_map<std::string, std::uint32_t, Hash, std::equal_to<>> prefixes_;
  std::size_t longest_ = 0;
};

}  // namespace backstay::gateway
