#pragma once

#include <string_view>

namespace postern::app {

/// As CMakeLists.txt says it.
constexpr std::string_view version = "0.1.0";

}  // namespace postern::app
