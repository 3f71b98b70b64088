#pragma once

#include <string>

#include "dsn/compose.h"

namespace postern::dsn {

/// The part for people, in the words of one language: UTF-8, CRLF line ends. Recipients that met
/// the same fate stand together.
std::string human_part(const Report& report, const Wording& wording, const ComposeLimits& limits);

/// The subject in these words, not yet encoded for a header.
std::string subject(const Report& report, const Wording& wording);

}  // namespace postern::dsn
