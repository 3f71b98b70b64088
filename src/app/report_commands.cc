#include "app/report_commands.h"

#include <array>
#include <cstdio>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <optional>
#include <ranges>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "app/configuration.h"
#include "app/reports.h"
#include "base/check.h"
#include "base/text.h"
#include "dsn/compose.h"
#include "dsn/human_part.h"
#include "dsn/read_report.h"
#include "dsn/status_part.h"
#include "settings/diagnostic.h"

namespace postern::app {
namespace {

using dsn::Action;
using dsn::Audience;
using dsn::RecipientResult;
using dsn::Wording;

void print_error(std::string_view text) {
  fmt::print(stderr, "postern reports: {}\n", text);
}

std::string shipped_list() {
  return fmt::format("{}", fmt::join(Wording::shipped_languages(), ", "));
}

struct Kind {
  std::string_view name;
  Action action;
  Audience audience = Audience::sender;
};
constexpr std::array<Kind, 6> kinds{{
    {"failed", Action::failed},
    {"delayed", Action::delayed},
    {"delivered", Action::delivered},
    {"relayed", Action::relayed},
    {"expanded", Action::expanded},
    {"postmaster", Action::failed, Audience::postmaster},
}};

const Kind* find_kind(const std::string& name) {
  const auto* found = std::ranges::find(kinds, name, &Kind::name);
  if (found != kinds.end()) return found;
  std::vector<std::string_view> names;
  names.reserve(kinds.size());
  for (const Kind& kind : kinds) names.push_back(kind.name);
  print_error(fmt::format("there is no action \"{}\"; write one of: {}", printable(name, 40),
                          fmt::join(names, ", ")));
  return nullptr;
}

/// The facts of an example: the same ones each time, so that two previews differ by their words.
constexpr std::int64_t example_time = 1'795'521'600;  // 2026-11-24 12:00 UTC

WallTime after(std::int64_t seconds_later) {
  return WallTime{seconds{example_time + seconds_later}};
}

RecipientResult answered(const Kind& kind, std::string status, std::string reply) {
  return {.final_recipient = "bob@example.net",
          .action = kind.action,
          .status = std::move(status),
          .remote_name = "mx.example.net",
          .remote_reply = std::move(reply),
          .last_attempt = after(60)};
}

RecipientResult unreachable(const Kind& kind) {
  RecipientResult result;
  result.final_recipient = "carol@example.org";
  result.action = kind.action;
  result.status = "4.4.1";
  result.remote_name = "mx.example.org";
  result.explanation = "connection timed out";
  result.last_attempt = after(60);
  return result;
}

std::vector<RecipientResult> example_results(const Kind& kind, const std::string& status) {
  const auto or_status = [&status](std::string_view otherwise) {
    return status.empty() ? std::string(otherwise) : status;
  };
  std::vector<RecipientResult> results;
  if (kind.action == Action::failed) {
    const std::string code = or_status("5.1.1");
    results.push_back(answered(kind, code,
                               fmt::format("{} {} <bob@example.net>: what the other server says",
                                           code[0] == '4' ? 450 : 550, code)));
    results.push_back(unreachable(kind));
    results.back().lifetime_over = true;
  } else if (kind.action == Action::delayed) {
    const std::string code = or_status("4.2.0");
    results.push_back(
        answered(kind, code, fmt::format("450 {} <bob@example.net>: try again later", code)));
    results.push_back(unreachable(kind));
    for (RecipientResult& result : results) result.will_retry_until = after(5L * 24 * 3600);
  } else {
    const std::string code = or_status("2.0.0");
    results.push_back(answered(kind, code, fmt::format("250 {} OK", code)));
  }
  return results;
}

dsn::Report example_report(const Kind& kind, const Configuration& configuration,
                           const std::string& status, std::span<const Wording> wordings) {
  dsn::Report report;
  report.reporting_mta = configuration.server.hostname;
  report.postmaster = configuration.server.postmaster;
  report.audience = kind.audience;
  report.to = kind.audience == Audience::sender ? "alice@example.com" : report.postmaster;
  report.unique = "0123456789abcdef";
  report.now = after(3600);
  report.arrived = after(0);
  report.received_from = "mail.example.com";
  report.received_address = "192.0.2.25";
  report.queue_id = "0G7K2M4N6P8Q1";
  report.recipients = example_results(kind, status);
  report.content =
      "From: Alice <alice@example.com>\r\nTo: bob@example.net, carol@example.org\r\n"
      "Subject: Example\r\nMessage-ID: <example@mail.example.com>\r\n"
      "Date: Tue, 24 Nov 2026 12:00:00 +0000\r\n\r\nThis message was never written.\r\n";
  report.content_complete = true;
  report.wordings = wordings;
  return report;
}

/// What the words are filled in with besides, when no configuration is asked.
Configuration example_configuration() {
  Configuration configuration;
  configuration.server.hostname = "gw.example.com";
  configuration.server.postmaster = "postmaster@gw.example.com";
  return configuration;
}

std::optional<std::vector<Wording>> words_of_file(const Arguments::Reports& arguments) {
  const std::string stem = std::filesystem::path(arguments.template_file).stem().string();
  std::string language = arguments.language;
  if (language.empty()) language = parse_language(stem) ? stem : "en";
  if (const auto tag = parse_language(language); !tag) {
    print_error(tag.error().what + "; " + tag.error().advice);
    return std::nullopt;
  }
  std::vector<Diagnostic> diagnostics;
  auto wording = wording_of_file(arguments.template_file, language, diagnostics);
  for (const Diagnostic& diagnostic : diagnostics) fmt::print(stderr, "{}\n", diagnostic.text());
  if (!wording) return std::nullopt;
  return std::vector<Wording>{*std::move(wording)};
}

const Wording* shipped_or_told(const std::string& language) {
  const Wording* shipped = Wording::shipped(to_lower(language));
  if (shipped == nullptr)
    print_error(fmt::format("no words are shipped for \"{}\"; there are: {}",
                            printable(language, 40), shipped_list()));
  return shipped;
}

/// The configuration whose words and names the preview has. Not good: what is wrong was told.
struct Preview {
  Configuration configuration;
  ExitCode code = ExitCode::ok;
};

Preview preview_of(const Arguments& arguments) {
  Preview preview{example_configuration()};
  std::vector<Wording>& words = preview.configuration.reports.wordings;
  if (!arguments.reports.template_file.empty()) {
    if (auto read = words_of_file(arguments.reports))
      words = *std::move(read);
    else
      preview.code = ExitCode::failed;
  } else if (!arguments.reports.language.empty()) {
    if (const Wording* shipped = shipped_or_told(arguments.reports.language))
      words = {*shipped};
    else
      preview.code = ExitCode::wrong_usage;
  } else {
    ReadConfiguration read = load_configuration(arguments.config);
    for (const Diagnostic& diagnostic : read.diagnostics)
      if (diagnostic.weight == Weight::error) fmt::print(stderr, "{}\n", diagnostic.text());
    if (has_errors(read.diagnostics)) {
      print_error("--language shows the words that are shipped without any configuration");
      preview.code = ExitCode::failed;
    }
    preview.configuration = std::move(read.configuration);
  }
  return preview;
}

void print_report(const Arguments& arguments, const dsn::Report& report) {
  const std::string message = dsn::compose(report).content;
  if (arguments.reports.message && !arguments.json) {
    fmt::print("{}", message);
    return;
  }
  const auto read = dsn::read_report(message);
  CHECK(read);
  std::string text;
  for (const char c : read->human)
    if (c != '\r') text += c;
  const std::string subject = dsn::subject(report, report.wordings.front());
  if (!arguments.json) {
    fmt::print("To: {}\nSubject: {}\n\n{}", report.to, subject, text);
    return;
  }
  boost::json::array languages;
  for (const Wording& wording : report.wordings) languages.emplace_back(wording.language());
  const boost::json::object json{{"to", report.to},
                                 {"subject", subject},
                                 {"languages", std::move(languages)},
                                 {"text", text},
                                 {"message", message}};
  fmt::print("{}\n", boost::json::serialize(json));
}

}  // namespace

ExitCode reports_template(const Arguments& arguments) {
  const std::string& language = arguments.reports.language;
  if (shipped_or_told(language) == nullptr) return ExitCode::wrong_usage;
  fmt::print("{}", Wording::shipped_template(to_lower(language)));
  return ExitCode::ok;
}

ExitCode reports_preview(const Arguments& arguments) {
  const Kind* kind = find_kind(arguments.reports.action);
  if (kind == nullptr) return ExitCode::wrong_usage;
  RecipientResult probe{.action = kind->action, .status = arguments.reports.status};
  if (!probe.status.empty() && dsn::told_status(probe) != probe.status) {
    print_error(fmt::format("\"{}\" is no status of {}; write one such as \"{}\"",
                            printable(probe.status, 40), kind->name, dsn::told_status(probe)));
    return ExitCode::wrong_usage;
  }
  const Preview preview = preview_of(arguments);
  if (preview.code != ExitCode::ok) return preview.code;
  print_report(arguments, example_report(*kind, preview.configuration, arguments.reports.status,
                                         preview.configuration.reports.wordings));
  return ExitCode::ok;
}

}  // namespace postern::app
