#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/json/object.hpp>

#include "base/time.h"

namespace postern::app {

/// A histogram as the server tells it, or what came to it between two snapshots.
struct BucketCounts {
  std::vector<double> bounds;          ///< seconds, upper, rising
  std::vector<std::uint64_t> buckets;  ///< one more than bounds

  [[nodiscard]] std::uint64_t total() const;
  /// The duration in seconds that this share (0 to 1) of all kept within, by a line through the
  /// bucket; nothing without any. Beyond the last bound: the last bound.
  [[nodiscard]] std::optional<double> percentile(double share) const;
  [[nodiscard]] BucketCounts since(const BucketCounts& earlier) const;
};

/// What a server measured at one moment, read from its reply to `metrics`. A name or label that it
/// does not tell of, as a server of another version may, counts nothing.
class MetricSnapshot {
 public:
  using LabelFilter = std::pair<std::string_view, std::string_view>;

  MetricSnapshot() = default;
  /// `taken`: when, by the reader's steady clock. Whatever does not read as it should is left out.
  MetricSnapshot(const boost::json::object& reply, SteadyTime taken);

  /// The sum of the samples that have all these labels.
  [[nodiscard]] double sum(std::string_view name,
                           const std::vector<LabelFilter>& labels = {}) const;
  /// The sums by the values of a label.
  [[nodiscard]] std::map<std::string, double> sums_by(std::string_view name,
                                                      std::string_view label) const;
  [[nodiscard]] BucketCounts histogram(std::string_view name) const;
  /// How much the sum grew for each second since `earlier`. A server that was started anew began
  /// from zero.
  [[nodiscard]] double rate(const MetricSnapshot& earlier, std::string_view name,
                            const std::vector<LabelFilter>& labels = {}) const;
  [[nodiscard]] double seconds_since(const MetricSnapshot& earlier) const;

 private:
  struct Value {
    std::map<std::string, std::string, std::less<>> labels;
    double value = 0;
    std::vector<std::uint64_t> buckets;
  };
  struct Family {
    std::vector<double> bounds;
    std::vector<Value> values;
  };
  [[nodiscard]] const Family* find(std::string_view name) const;
  static Value read_value(const boost::json::object& sample);

  std::map<std::string, Family, std::less<>> families_;
  SteadyTime taken_;
};

}  // namespace postern::app
