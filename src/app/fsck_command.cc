#include "app/fsck_command.h"

#include <cstdio>
#include <filesystem>
#include <fmt/format.h>
#include <optional>

#include <boost/json/serialize.hpp>

#include "app/configuration.h"
#include "app/privileges.h"
#include "base/text.h"
#include "io/real/shard.h"
#include "queue/rocksdb_store.h"

namespace postern::app {
namespace {

using queue::Finding;
using queue::FsckMode;
using queue::FsckReport;

constexpr Duration fsck_time_max = std::chrono::hours(24 * 30);  // no bound of its own
constexpr std::size_t text_bytes_max = 2000;

/// Writes each finding as it comes, so that a million of them cost no memory.
class Output {
 public:
  Output(bool json, FsckMode mode) : json_(json), mode_(mode) {
    if (json_) fmt::print("{{\"findings\":[");
  }
  void add(const Finding& finding) {
    if (!json_) return fmt::print("{}", finding_text(finding));
    fmt::print("{}\n{}", first_ ? "" : ",", boost::json::serialize(finding_json(finding)));
    first_ = false;
  }
  void end(const FsckReport& report, const std::string& error = {}) {
    if (!json_) return fmt::print("{}", fsck_summary(report, mode_));
    boost::json::object sums{{"messages", report.messages},
                             {"dead_letters", report.dead_letters},
                             {"set_aside", report.set_aside},
                             {"content_bytes", report.content_bytes},
                             {"found", report.findings},
                             {"mended", report.mended},
                             {"left", report.left}};
    if (!error.empty()) sums["error"] = error;
    fmt::print("],\"sums\":{}}}\n", boost::json::serialize(sums));
  }

 private:
  bool json_;
  FsckMode mode_;
  bool first_ = true;
};

io::Task<> look_through(io::World world, queue::Store& store, FsckMode mode, Output& output,
                        Result<FsckReport>& result) {
  result = co_await queue::fsck(world, store, mode,
                                [&output](const Finding& finding) { output.add(finding); });
}

ExitCode fail_with(const std::string& what) {
  fmt::print(stderr, "{}\n", printable(what, text_bytes_max));
  return ExitCode::failed;
}

/// A store that does not open is what was found.
Finding not_opened(const Error& error) {
  return {.kind = "store-unreadable",
          .where = "queue/",
          .what = error.what,
          .consequence = "the server does not start with it; nothing else was looked at",
          .repair =
              "as the words above say; the large contents in content/ are whole files, and "
              "read as they are",
          .state = Finding::State::manual};
}

std::optional<std::string> spool_of(const Arguments& arguments) {
  if (!arguments.fsck.spool.empty()) return arguments.fsck.spool;
  const ReadConfiguration read = load_configuration(arguments.config);
  if (!has_errors(read.diagnostics)) return read.configuration.server.spool;
  for (const Diagnostic& diagnostic : read.diagnostics)
    fmt::print(stderr, "{}\n", diagnostic.text());
  fmt::print(stderr, "With --spool DIR the configuration is not needed.\n");
  return std::nullopt;
}

ExitCode check_spool(const std::string& spool, const Arguments& arguments) {
  const FsckMode mode = arguments.fsck.repair ? FsckMode::repair : FsckMode::look;
  auto opened = queue::RocksdbStore::open(
      spool + "/queue", {.access = mode == FsckMode::repair ? queue::StoreAccess::existing
                                                            : queue::StoreAccess::read_only});
  if (!opened && opened.error().cause == Cause::in_use)
    return fail_with(
        fmt::format("A server runs with the spool {}: stop it first. The queue of a "
                    "running server is looked at with `postern queue list`.",
                    spool));
  if (!opened && opened.error().cause != Cause::damaged) return fail_with(opened.error().what);
  Output output(arguments.json, mode);
  if (!opened) {
    FsckReport report;
    const Finding finding = not_opened(opened.error());
    report.count(finding);
    output.add(finding);
    output.end(report);
    return ExitCode::failed;
  }
  auto shard = io::RealShard::create({.directory = spool});
  if (!shard) return fail_with(shard.error().what);
  Result<FsckReport> result;
  if (!(*shard)->run_task(look_through((*shard)->world(), **opened, mode, output, result),
                          fsck_time_max))
    return ExitCode::failed;
  output.end(result.value_or(FsckReport()), result ? "" : result.error().what);
  if (!result) return fail_with(result.error().what);
  return result->left == 0 ? ExitCode::ok : ExitCode::failed;
}

}  // namespace

std::string finding_text(const Finding& finding) {
  std::string out = fmt::format("{}  {}{}{}\n    what         {}\n", finding.kind, finding.id,
                                finding.id.empty() ? "" : "  ", printable(finding.where, 300),
                                printable(finding.what, text_bytes_max));
  out += fmt::format("    consequence  {}\n", printable(finding.consequence, text_bytes_max));
  switch (finding.state) {
    case Finding::State::found:
      return out + fmt::format("    --repair     {}\n", finding.repair);
    case Finding::State::mended:
      return out + fmt::format("    mended       {}\n", finding.repair);
    case Finding::State::failed:
      return out + fmt::format("    --repair     {}\n    FAILED       {}\n", finding.repair,
                               printable(finding.error, text_bytes_max));
    case Finding::State::manual:
    case Finding::State::settled:
      return out + fmt::format("    to do        {}\n", finding.repair);
  }
  return out;
}

boost::json::object finding_json(const Finding& finding) {
  boost::json::object out{{"kind", finding.kind},
                          {"id", finding.id},
                          {"where", printable(finding.where, 300)},
                          {"what", printable(finding.what, text_bytes_max)},
                          {"consequence", finding.consequence},
                          {"repair", finding.repair},
                          {"state", queue::name_of(finding.state)}};
  if (!finding.error.empty()) out["error"] = printable(finding.error, text_bytes_max);
  return out;
}

std::string fsck_summary(const FsckReport& report, FsckMode mode) {
  std::string out = fmt::format(
      "{} messages, {} dead letters, {} set aside, {} bytes of content: ", report.messages,
      report.dead_letters, report.set_aside, report.content_bytes);
  if (report.findings == 0) return out + "all is well.\n";
  out += fmt::format("{} finding{}", report.findings, report.findings == 1 ? "" : "s");
  if (mode == FsckMode::look)
    return out + ". Nothing was changed; with --repair what can be mended is.\n";
  return out + fmt::format(", {} mended, {} left.\n", report.mended, report.left);
}

ExitCode queue_fsck(const Arguments& arguments) {
  const std::optional<std::string> spool = spool_of(arguments);
  if (!spool) return ExitCode::failed;
  std::error_code error;
  if (!std::filesystem::is_directory(*spool, error))
    return fail_with(
        fmt::format("There is no directory {}{}.", *spool, error ? ": " + error.message() : ""));
  // What root writes, the server's user could not read.
  if (const auto become = become_owner_of(*spool); !become) return fail_with(become.error().what);
  return check_spool(*spool, arguments);
}

}  // namespace postern::app
