#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/configuration.h"
#include "settings/section.h"

namespace postern::app {

/// Reads [reports] and the templates that it names.
void read_reports(settings::Section section, Configuration::Reports& reports);

/// RFC 5646 section 2.1: the form of a language tag, as it is.
settings::Parsed<std::string> parse_language(std::string_view text);

/// A template's text, at most one byte more than dsn::wording_bytes_max of it.
settings::Parsed<std::string> read_template(const std::string& path);

/// The words of the file at `path`; what it leaves out is in the shipped words of `language`, or in
/// English. Nothing when something is wrong, each problem told at its line.
std::optional<dsn::Wording> wording_of_file(const std::string& path, const std::string& language,
                                            std::vector<Diagnostic>& diagnostics);

}  // namespace postern::app
