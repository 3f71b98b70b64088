#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/metrics.h"

namespace postern::admin {

enum class MetricType : std::uint8_t { counter, gauge, histogram };

struct Label {
  std::string_view name;  ///< of ours, lives for ever
  std::string value;
};

struct Sample {
  std::vector<Label> labels;
  /// The view lives as long as the server that gave it.
  std::variant<double, HistogramView> value;
};

/// Everything that is measured under one name, as it is at this moment.
struct MetricFamily {
  /// By Prometheus' conventions: "postern_" first, base units (seconds, bytes) last, then "_total"
  /// for counters. Lower case, digits and "_".
  std::string_view name;
  MetricType type = MetricType::gauge;
  std::string_view help;  ///< one sentence, plain ASCII without quotes and backslashes
  std::vector<Sample> samples;
};

/// "counter", "gauge", "histogram".
std::string_view type_word(MetricType type);

}  // namespace postern::admin
