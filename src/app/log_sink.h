#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "app/log_format.h"
#include "base/log.h"
#include "base/result.h"
#include "io/clock.h"

namespace postern::app {

struct LogOptions {
  LogFormat format = LogFormat::text;
  std::string target = "stderr";  ///< or the path of a file, which is appended to
  Severity severity = Severity::info;
  /// Of one event; what is above is counted and told in one line when the second is over.
  std::uint32_t lines_per_second_max = 500;
  /// Lines written by the server and not yet taken by the target; more are lost and counted.
  std::uint32_t lines_waiting_max = 4000;
};

/// Writes the log to standard error or a file. The writing happens on a thread of its own, so that
/// a slow disk or a full pipe never holds up the shard; when it cannot follow, lines are lost and
/// counted. Used on one shard. The destructor waits until the target took what waits.
class LogSink final : public Log {
 public:
  /// Error: the file cannot be opened (Blame::operator_). `clock` outlives the sink.
  static Result<std::unique_ptr<LogSink>> open(LogOptions options, io::Clock& clock);
  ~LogSink() override;
  LogSink(const LogSink&) = delete;
  LogSink& operator=(const LogSink&) = delete;

  void line(Severity severity, std::string_view event,
            std::initializer_list<LogField> fields) override;
  void raw(Severity severity, std::string_view text) override;

  /// Takes new options and opens the target again (after logrotate has renamed the file). On error
  /// the old target and options stay in use.
  Result<> reopen(LogOptions options);

  struct Counts {
    std::uint64_t suppressed = 0;  ///< by the limit of lines per second
    std::uint64_t lost = 0;        ///< the target was too slow
    std::uint64_t failed = 0;      ///< the target gave an error, such as a full disk
  };
  [[nodiscard]] Counts counts() const;

 private:
  struct Target;
  struct Window {
    SteadyTime began;
    std::uint32_t lines = 0;
    std::uint64_t suppressed = 0;
  };

  LogSink(LogOptions options, io::Clock& clock, std::unique_ptr<Target> target);
  static Result<std::unique_ptr<Target>> open_target(const LogOptions& options);
  bool admit(std::string_view event);
  void tell_suppressed();
  void tell_lost();
  void emit(Severity severity, std::string_view event, std::span<const LogField> fields);
  void write(Severity severity, const std::string& text);

  LogOptions options_;
  io::Clock& clock_;
  std::unique_ptr<Target> target_;
  std::map<std::string, Window, std::less<>> windows_;
  io::Clock::TimerId timer_ = 0;
  std::uint64_t suppressed_ = 0;
  std::uint64_t lost_ = 0;
  std::uint64_t failed_before_ = 0;  ///< by targets that were replaced
  std::uint64_t lost_untold_ = 0;
};

}  // namespace postern::app
