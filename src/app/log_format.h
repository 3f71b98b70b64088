#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/log.h"
#include "base/time.h"

/// How a log line looks. Pure. Values may hold any bytes of a peer's: each comes out on the same
/// line, bounded, as valid UTF-8 and without control or direction-changing characters, so that
/// nobody can forge a line or repaint a terminal.
namespace postern::app {

enum class LogFormat : std::uint8_t { text, json };

constexpr std::size_t log_value_bytes_max = 400;
constexpr std::size_t log_raw_bytes_max = 1000;

struct LogLine {
  WallTime time;
  Severity severity = Severity::info;
  std::string_view event;
  std::span<const LogField> fields;
};

std::string_view severity_name(Severity severity);

/// "2026-11-24T03:25:53.123Z info refused client=192.0.2.7 reply="450 4.7.25 ..."". Without the
/// line end. Quotes stand around a value that holds a space, a quote, "=" or nothing; inside them
/// \" \\ \n \xNN and \u{NNNN} are escapes.
std::string format_text(const LogLine& line);
/// One JSON object: {"time":"...","severity":"info","event":"refused","client":"192.0.2.7"}.
/// Without the line end.
std::string format_json(const LogLine& line);
/// A line in somebody else's format: bounded, control characters as \xNN.
std::string format_raw(std::string_view text);

}  // namespace postern::app
