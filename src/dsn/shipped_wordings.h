#pragma once

#include <string_view>

/// The templates that come with the program, as `postern reports template LANGUAGE` prints them.
namespace postern::dsn {

extern const std::string_view english_template;
extern const std::string_view german_template;

}  // namespace postern::dsn
