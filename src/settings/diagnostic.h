#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace postern::settings {

/// A place in the configuration file, counted from 1; 0 when the problem is not at one place.
struct Place {
  int line = 0;
  int column = 0;
  bool operator==(const Place&) const = default;
};

/// An error keeps the configuration from being used; a warning does not.
enum class Weight : std::uint8_t { error, warning };

/// One thing that is wrong with the configuration, told so that the operator can mend it.
struct Diagnostic {
  Weight weight = Weight::error;
  std::string file;
  Place place;
  std::string section;  ///< "unknown_ip.actions"; empty for the file as a whole
  std::string key;      ///< "no_ptr"; empty for the section as a whole
  std::string what;     ///< what is wrong: "unknown key"
  std::string advice;   ///< what to do: "did you mean \"mode\"?"

  /// "/etc/postern/postern.toml:12:1: [unknown_ip] mod: unknown key; did you mean "mode"?"
  [[nodiscard]] std::string text() const;
};

[[nodiscard]] bool has_errors(const std::vector<Diagnostic>& diagnostics);

/// The candidate that somebody who typed `word` most likely meant; empty when none is near.
std::string_view nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace postern::settings
