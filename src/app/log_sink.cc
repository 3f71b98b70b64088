#include "app/log_sink.h"

#include <algorithm>
#include <atomic>
#include <fmt/format.h>
#include <spdlog/async.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <vector>

#include "base/text.h"

namespace postern::app {
namespace {

/// Events are words of our own, so that there are few; the bound is against a mistake.
constexpr std::size_t windows_max = 256;
constexpr Duration window_length = std::chrono::seconds(1);

/// What the writing thread has done, for the shard to see.
struct Progress {
  std::atomic<std::uint64_t> taken{0};
  std::atomic<std::uint64_t> failed{0};
};

/// Stands behind the target in its logger and counts what came by. The library calls every sink
/// for each line, also after an earlier one failed.
class CountingSink final : public spdlog::sinks::sink {
 public:
  explicit CountingSink(std::shared_ptr<Progress> progress) : progress_(std::move(progress)) {}
  void log(const spdlog::details::log_msg&) override {
    progress_->taken.fetch_add(1, std::memory_order_release);
    progress_->taken.notify_all();
  }
  void flush() override {}
  void set_pattern(const std::string&) override {}
  void set_formatter(std::unique_ptr<spdlog::formatter>) override {}

 private:
  std::shared_ptr<Progress> progress_;
};

std::string next_logger_name() {
  static std::atomic<std::uint64_t> count{0};
  return fmt::format("postern-{}", count.fetch_add(1));
}

}  // namespace

struct LogSink::Target {
  std::shared_ptr<spdlog::logger> logger;
  std::shared_ptr<Progress> progress = std::make_shared<Progress>();
  std::uint64_t sent = 0;

  Target() = default;
  Target(const Target&) = delete;
  Target& operator=(const Target&) = delete;
  ~Target() {
    for (auto taken = progress->taken.load(); taken < sent; taken = progress->taken.load())
      progress->taken.wait(taken);
    if (logger) spdlog::drop(logger->name());
  }
};

Result<std::unique_ptr<LogSink::Target>> LogSink::open_target(const LogOptions& options) {
  auto target = std::make_unique<Target>();
  const std::string name = next_logger_name();
  try {
    if (options.target == "stderr")
      target->logger = spdlog::create_async_nb<spdlog::sinks::stderr_sink_mt>(name);
    else
      target->logger =
          spdlog::create_async_nb<spdlog::sinks::basic_file_sink_mt>(name, options.target, false);
    target->logger->set_pattern("%v");
    target->logger->set_level(spdlog::level::trace);
    target->logger->flush_on(spdlog::level::trace);
    target->logger->set_error_handler(
        [progress = target->progress](const std::string&) { ++progress->failed; });
    target->logger->sinks().push_back(std::make_shared<CountingSink>(target->progress));
  } catch (const std::exception& thrown) {
    return operator_failure(
        Cause::other, fmt::format("cannot write the log to {}: {}; let the server's user write "
                                  "there, or change [log] target",
                                  printable(options.target), thrown.what()));
  }
  return target;
}

Result<std::unique_ptr<LogSink>> LogSink::open(LogOptions options, io::Clock& clock) {
  TRY(auto target, open_target(options));
  return std::unique_ptr<LogSink>(new LogSink(std::move(options), clock, std::move(target)));
}

LogSink::LogSink(LogOptions options, io::Clock& clock, std::unique_ptr<Target> target)
    : options_(std::move(options)), clock_(clock), target_(std::move(target)) {}

LogSink::~LogSink() {
  if (timer_ != 0) clock_.cancel(timer_);
  timer_ = 0;
  for (auto& [event, window] : windows_) window.began = SteadyTime::min();
  tell_suppressed();
  tell_lost();
}

Result<> LogSink::reopen(LogOptions options) {
  TRY(auto target, open_target(options));
  const std::shared_ptr<Progress> old = target_->progress;
  target_ = std::move(target);
  failed_before_ += old->failed.load();
  options_ = std::move(options);
  return {};
}

LogSink::Counts LogSink::counts() const {
  return {suppressed_, lost_, failed_before_ + target_->progress->failed.load()};
}

void LogSink::line(Severity severity, std::string_view event,
                   std::initializer_list<LogField> fields) {
  if (severity < options_.severity || !admit(event)) return;
  emit(severity, event, fields);
}

void LogSink::raw(Severity severity, std::string_view text) {
  if (severity < options_.severity || !admit("postfix_format")) return;
  if (options_.format == LogFormat::json) {
    const std::array fields{LogField("text", text)};
    emit(severity, "postfix_format", fields);
  } else {
    write(severity, format_raw(text));
  }
}

/// Whether this event's line may still be written in this second.
bool LogSink::admit(std::string_view event) {
  const SteadyTime now = clock_.now();
  auto found = windows_.find(event);
  if (found == windows_.end()) {
    if (windows_.size() >= windows_max) windows_.clear();
    found = windows_.emplace(std::string(event), Window{now}).first;
  }
  Window& window = found->second;
  if (window.suppressed == 0 && now - window.began >= window_length) window = Window{now};
  if (window.lines < options_.lines_per_second_max) {
    ++window.lines;
    return true;
  }
  ++window.suppressed;
  ++suppressed_;
  if (timer_ == 0)
    timer_ = clock_.call_at(now + window_length, [this] {
      timer_ = 0;
      tell_suppressed();
    });
  return false;
}

void LogSink::tell_suppressed() {
  const SteadyTime now = clock_.now();
  bool waiting = false;
  for (auto& [event, window] : windows_) {
    if (window.suppressed == 0) continue;
    if (window.began != SteadyTime::min() && now - window.began < window_length) {
      waiting = true;
      continue;
    }
    const std::array fields{LogField("of", event), LogField("suppressed", window.suppressed)};
    emit(Severity::warning, "log_suppressed", fields);
    window = Window{now};
  }
  if (waiting)
    timer_ = clock_.call_at(now + window_length, [this] {
      timer_ = 0;
      tell_suppressed();
    });
}

void LogSink::tell_lost() {
  if (lost_untold_ == 0) return;
  const std::array fields{LogField("lost", std::exchange(lost_untold_, 0))};
  emit(Severity::warning, "log_lost", fields);
}

void LogSink::emit(Severity severity, std::string_view event, std::span<const LogField> fields) {
  const LogLine line{clock_.wall_now(), severity, event, fields};
  write(severity, options_.format == LogFormat::json ? format_json(line) : format_text(line));
}

void LogSink::write(Severity severity, const std::string& text) {
  if (severity < options_.severity) return;
  const std::uint64_t taken = target_->progress->taken.load(std::memory_order_acquire);
  const std::uint64_t waiting = target_->sent - taken;
  if (waiting >= options_.lines_waiting_max) {
    ++lost_;
    ++lost_untold_;
    return;
  }
  ++target_->sent;
  target_->logger->log(spdlog::level::info, spdlog::string_view_t(text.data(), text.size()));
  // With half the room free again it is time to say what is missing here.
  if (lost_untold_ > 0 && waiting * 2 < options_.lines_waiting_max) tell_lost();
}

}  // namespace postern::app
