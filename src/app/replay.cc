#include "app/replay.h"

#include <algorithm>
#include <cstdio>
#include <fmt/format.h>
#include <optional>
#include <unistd.h>

#include "app/configuration.h"
#include "app/log_files.h"
#include "app/replay_lookups.h"
#include "base/text.h"
#include "io/real/shard.h"
#include "maillog/reader.h"

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

struct FirstTime {
  LogFile file;
  WallTime time;
};

/// Rotated files come in any order; attempts are put together in the order of their time.
Result<std::vector<LogFile>> files_by_time(const std::vector<std::string>& paths, WallTime now,
                                           Duration utc_offset) {
  std::vector<FirstTime> found;
  for (const std::string& path : paths) {
    TRY(LogFile file, LogFile::find(path, now));
    found.push_back({file, file.written_until});
  }
  if (found.size() > 1) {
    for (FirstTime& of : found) {
      if (of.file.path == "-") continue;
      maillog::Reader reader(of.file.written_until, utc_offset);
      bool known = false;
      TRY_VOID(of.file.read([&](std::string_view line, std::uint64_t) {
        if (known) return LogFile::Go::end;
        const maillog::Entry entry = reader.read(line);
        known = entry.kind != maillog::Entry::Kind::unreadable;
        if (known) of.time = entry.time;
        return LogFile::Go::on;
      }));
    }
  }
  std::ranges::sort(found, [](const FirstTime& a, const FirstTime& b) {
    return a.time != b.time ? a.time < b.time : a.file.path < b.file.path;
  });
  std::vector<LogFile> files;
  files.reserve(found.size());
  for (FirstTime& of : found) files.push_back(std::move(of.file));
  return files;
}

Result<> read_files(const std::vector<LogFile>& files, Duration utc_offset, Progress& progress,
                    ledger::LogCensus& census) {
  std::uint64_t all = 0;
  for (const LogFile& file : files) all += file.bytes;
  std::uint64_t before = 0;
  for (const LogFile& file : files) {
    maillog::Reader reader(file.written_until, utc_offset);
    TRY_VOID(file.read([&](std::string_view line, std::uint64_t at) {
      census.add(reader.read(line));
      progress.draw("reading", before + at, all);
      return LogFile::Go::on;
    }));
    before += file.bytes;
  }
  progress.clear();
  return {};
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
  const auto files = files_by_time(asked.files, (*shard)->world().clock.wall_now(), *utc_offset);
  if (!files) return fail_with(files.error());
  Progress progress;
  ledger::LogCensus census;
  if (const auto read = read_files(*files, *utc_offset, progress, census); !read) {
    progress.clear();
    return fail_with(read.error());
  }
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
      .files = files->size(),
      .clients_shown_max = asked.clients_shown_max,
      .looked_up = !asked.no_lookups};
  const std::string text =
      arguments.json ? replay_json(report, census) + "\n" : replay_text(report);
  std::fwrite(text.data(), 1, text.size(), stdout);
  return ExitCode::ok;
}

}  // namespace postern::app
