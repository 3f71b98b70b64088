#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

namespace postern {

enum class Severity : std::uint8_t { debug, info, warning, error };

/// One key and its value in a structured log line. Views: they need to live only during the call.
struct LogField {
  std::string_view key;
  std::variant<std::string_view, std::int64_t, double, bool> value;

  LogField(std::string_view k, std::string_view v) : key(k), value(v) {}
  LogField(std::string_view k, const std::string& v) : key(k), value(std::string_view(v)) {}
  LogField(std::string_view k, const char* v) : key(k), value(std::string_view(v)) {}
  LogField(std::string_view k, std::int64_t v) : key(k), value(v) {}
  LogField(std::string_view k, int v) : key(k), value(std::int64_t{v}) {}
  LogField(std::string_view k, std::uint64_t v) : key(k), value(static_cast<std::int64_t>(v)) {}
  LogField(std::string_view k, double v) : key(k), value(v) {}
  LogField(std::string_view k, bool v) : key(k), value(v) {}
};

/// Where decisions are told. One line an event; the sink adds the time, escapes and bounds every
/// value, so that text of a peer's may be passed as it is. Called on one shard only; never blocks
/// on the network and never fails.
class Log {
 public:
  virtual ~Log() = default;
  virtual void line(Severity severity, std::string_view event,
                    std::initializer_list<LogField> fields) = 0;
  /// A line in somebody else's format, passed on as it is (Postfix's own, for the parsers that know
  /// it).
  virtual void raw(Severity severity, std::string_view text) = 0;
};

/// Keeps nothing.
class NoLog final : public Log {
 public:
  void line(Severity, std::string_view, std::initializer_list<LogField>) override {}
  void raw(Severity, std::string_view) override {}
};

}  // namespace postern
