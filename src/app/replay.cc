#include "app/replay.h"

#include <algorithm>
#include <cstdio>
#include <fmt/format.h>
#include <optional>
#include <unistd.h>

#include "app/configuration.h"
#include "app/log_merge.h"
#include "app/replay_lookups.h"
#include "base/text.h"
#include "io/real/shard.h"

namespace postern::app {
namespace {

void print_error(std::string_view text) {
  fmt::print(stderr, "postern replay: {}\n", text);
}

ExitCode fail_with(const Error& error) {
  print_error(error.what);
  return ExitCode::failed;
}

/// A line on standard error that is drawn anew, when that is a terminal.
class Progress {
 public:
  void draw(std::string_view what, std::uint64_t done, std::uint64_t of) {
    if (!terminal_ || of == 0) return;
    const auto percent = static_cast<int>(std::min<std::uint64_t>(100, done * 100 / of));
    if (percent == drawn_) return;
    drawn_ = percent;
    constexpr int width = 40;
    const int filled = percent * width / 100;
    fmt::print(stderr, "\r{} [{:#<{}}{:.<{}}] {:3} %", what, "", filled, "", width - filled,
               percent);
    std::fflush(stderr);
  }
  void clear() {
    if (drawn_ >= 0) fmt::print(stderr, "\r\x1b[K");
    drawn_ = -1;
  }

 private:
  bool terminal_ = ::isatty(STDERR_FILENO) != 0;
  int drawn_ = -1;
};

/// "+02:00", "-0500", "0"
std::optional<Duration> parse_utc_offset(std::string_view text) {
  bool west = false;
  if (text.starts_with('+') || text.starts_with('-')) {
    west = text.front() == '-';
    text.remove_prefix(1);
  }
  std::string digits;
  for (const char c : text) {
    if (c == ':' && digits.size() == 2) continue;
    if (!ascii_digit(c)) return std::nullopt;
    digits += c;
  }
  if (digits.empty() || digits.size() > 4) return std::nullopt;
  const int number = std::stoi(digits);
  const Duration offset =
      digits.size() <= 2 ? Duration(std::chrono::hours(number))
                         : std::chrono::hours(number / 100) + std::chrono::minutes(number % 100);
  if (offset > std::chrono::hours(14)) return std::nullopt;
  return west ? -offset : offset;
}

Result<> read_logs(std::vector<LogFile> files, Duration utc_offset, Progress& progress,
                   ledger::LogCensus& census) {
  std::uint64_t all = 0;
  for (const LogFile& file : files) all += file.bytes;
  LogMerge logs(std::move(files), utc_offset);
  while (true) {
    const auto entry = logs.next();
    if (!entry || !*entry) progress.clear();
    if (!entry) return fail(entry.error());
    if (!*entry) return {};
    census.add(**entry);
    progress.draw("reading", logs.bytes_read(), all);
  }
}

Result<std::vector<LogFile>> find_files(const std::vector<std::string>& paths, WallTime now) {
  std::vector<LogFile> files;
  for (const std::string& path : paths) {
    TRY(LogFile file, LogFile::find(path, now));
    files.push_back(std::move(file));
  }
  return files;
}

/// Those whose answer matters most first, so that an interrupted run is of use.
std::vector<IpAddress> clients_in_order(const ledger::LogCensus& census) {
  std::vector<IpAddress> clients;
  for (const auto& [address, seen] : census.clients()) clients.push_back(address);
  std::ranges::sort(clients, [&census](const IpAddress& a, const IpAddress& b) {
    const auto weight = [&census](const IpAddress& client) {
      const ledger::LoggedClient& seen = census.clients().at(client);
      return std::pair(seen.accepted, seen.refused_unknown_ip);
    };
    return weight(a) != weight(b) ? weight(a) > weight(b) : a < b;
  });
  return clients;
}

}  // namespace

ExitCode replay(const Arguments& arguments) {
  const Arguments::Replay& asked = arguments.replay;
  const auto utc_offset = parse_utc_offset(asked.utc_offset);
  if (!utc_offset) {
    print_error(fmt::format("--utc-offset {} is none; write +02:00 or -05:00",
                            printable(asked.utc_offset)));
    return ExitCode::wrong_usage;
  }
  const auto configuration = configuration_or_defaults(arguments.config, Arguments{}.config);
  if (!configuration) return ExitCode::failed;
  const auto shard = io::RealShard::create({.directory = "/"});
  if (!shard) return fail_with(shard.error());
  auto files = find_files(asked.files, (*shard)->world().clock.wall_now());
  if (!files) return fail_with(files.error());
  Progress progress;
  ledger::LogCensus census;
  const auto read = read_logs(*std::move(files), *utc_offset, progress, census);
  if (!read) return fail_with(read.error());
  Result<Findings> findings;
  if (!asked.no_lookups) {
    const std::vector<IpAddress> clients = clients_in_order(census);
    ReplayLookups lookups({.unknown_ip = configuration->unknown_ip,
                           .dns = configuration->dns,
                           .lookups_per_second = asked.lookups_per_second,
                           .journal = asked.journal});
    findings = lookups.look_up(**shard, clients, [&](std::size_t done) {
      progress.draw("looking up", done, clients.size());
    });
    progress.clear();
    if (!findings) return fail_with(findings.error());
  }
  const ReplayReport report{
      .impact = ledger::make_impact(census, *findings, upstream::shipped_profiles_read()),
      .counts = census.counts(),
      .clients_seen = census.clients().size(),
      .files = asked.files.size(),
      .clients_shown_max = asked.clients_shown_max,
      .looked_up = !asked.no_lookups,
      .answer_at = configuration->unknown_ip.answer_at};
  const std::string text =
      arguments.json ? replay_json(report, census) + "\n" : replay_text(report);
  std::fwrite(text.data(), 1, text.size(), stdout);
  return ExitCode::ok;
}

}  // namespace postern::app
