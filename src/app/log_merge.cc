#include "app/log_merge.h"

#include <algorithm>
#include <fmt/format.h>

namespace postern::app {

Result<std::optional<maillog::Entry>> LogMerge::next() {
  if (sources_.empty()) TRY_VOID(begin());
  if (told_) TRY_VOID(advance(*told_));
  while (!by_time_.empty()) {
    const std::size_t first = by_time_.top().second;
    by_time_.pop();
    if (sources_[first].lines) {
      told_ = first;
      return sources_[first].entry;
    }
    if (++open_ > open_max)
      return operator_failure(
          Cause::other, fmt::format("more than {} of these logs tell of the same time; give fewer "
                                    "of them, or put those of one server together",
                                    open_max));
    TRY(sources_[first].lines, LogLines::open(files_[first]));
    TRY_VOID(advance(first));
  }
  told_.reset();
  return std::nullopt;
}

Result<> LogMerge::begin() {
  std::vector<std::pair<WallTime, LogFile>> found;
  for (LogFile& file : files_) {
    // One file needs no order, and standard input can be read once only.
    const bool known = files_.size() > 1 && file.path != "-";
    TRY(const WallTime time, known ? first_time(file) : Result<WallTime>(WallTime()));
    found.emplace_back(time, std::move(file));
  }
  std::ranges::stable_sort(found, {}, &std::pair<WallTime, LogFile>::first);
  files_.clear();
  for (auto& [time, file] : found) {
    by_time_.emplace(time, sources_.size());
    sources_.push_back({.lines = std::nullopt,
                        .reader = {file.written_until, utc_offset_},
                        .entry = {},
                        .time = time});
    files_.push_back(std::move(file));
  }
  return {};
}

Result<WallTime> LogMerge::first_time(const LogFile& file) const {
  TRY(LogLines lines, LogLines::open(file));
  maillog::Reader reader(file.written_until, utc_offset_);
  while (true) {
    TRY(const auto line, lines.next());
    if (!line) return file.written_until;
    const maillog::Entry entry = reader.read(*line);
    if (entry.kind != maillog::Entry::Kind::unreadable) return entry.time;
  }
}

/// To its next entry, or to its end.
Result<> LogMerge::advance(std::size_t at) {
  Source& source = sources_[at];
  const std::uint64_t before = source.lines->at();
  TRY(const auto line, source.lines->next());
  bytes_read_ += source.lines->at() - before;
  if (!line) {
    source.lines.reset();
    --open_;
    return {};
  }
  source.entry = source.reader.read(*line);
  if (source.entry.kind != maillog::Entry::Kind::unreadable) source.time = source.entry.time;
  by_time_.emplace(source.time, at);
  return {};
}

}  // namespace postern::app
