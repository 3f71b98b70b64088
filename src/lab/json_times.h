#pragma once

#include <chrono>
#include <optional>

#include <boost/json/value.hpp>

#include "base/time.h"

namespace postern::lab {

/// Times in the lab's JSON: seconds, with fractions.
inline double in_seconds(Duration time) {
  return std::chrono::duration<double>(time).count();
}
/// null: it did not, or does not, happen.
inline boost::json::value optional_seconds(const std::optional<Duration>& time) {
  return time ? boost::json::value(in_seconds(*time)) : boost::json::value(nullptr);
}

}  // namespace postern::lab
