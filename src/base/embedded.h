#pragma once

#include <string_view>

namespace postern {

/// A file of the source that is part of the program (cmake/embed.cmake).
struct EmbeddedText {
  std::string_view name;  ///< of the file, without ".toml"
  std::string_view text;
};

}  // namespace postern
