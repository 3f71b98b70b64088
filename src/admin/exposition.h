#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "admin/metric_family.h"

namespace postern::admin {

/// How metrics are written for those who scrape them.
enum class Exposition : std::uint8_t {
  prometheus,    ///< Prometheus' text format, version 0.0.4
  open_metrics,  ///< OpenMetrics 1.0.0
};

/// What an Accept field asks for: OpenMetrics when it is named there, the text format else.
Exposition exposition_for(std::string_view accept);
std::string_view content_type(Exposition exposition);
std::string expose(const std::vector<MetricFamily>& families, Exposition exposition);

}  // namespace postern::admin
