#pragma once

#include <span>
#include <string_view>

namespace postern::lab {

/// A file of this folder that is part of the program (cmake/embed.cmake).
struct EmbeddedText {
  std::string_view name;  ///< of the file, without ".toml"
  std::string_view text;
};

/// scenarios/*.toml, by name.
std::span<const EmbeddedText> shipped_scenarios();
/// profiles.toml.
std::span<const EmbeddedText> shipped_profiles();

}  // namespace postern::lab
