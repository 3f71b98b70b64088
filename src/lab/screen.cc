#include "lab/screen.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <vector>

#include "base/text.h"
#include "lab/account.h"
#include "lab/flow_text.h"

namespace postern::lab {
namespace {

constexpr std::size_t rows_min = 10;

std::string cut(std::string_view line, std::size_t columns) {
  return printable(line, std::max<std::size_t>(columns, 20) - 4);
}

// "[=====>        ] 1d 2:00:00 of 8d 0:00:00 at the most"
std::string clock_line(const Flow& flow, std::size_t columns) {
  const std::string times =
      fmt::format(" {} of {} at the most{}", format_since(flow.history().now),
                  format_since(flow.scenario().run_for), flow.over() ? ", over" : "");
  const std::size_t width = columns > times.size() + 12 ? columns - times.size() - 8 : 4;
  const auto done = static_cast<std::size_t>(
      static_cast<double>(width) * std::chrono::duration<double>(flow.history().now).count() /
      std::chrono::duration<double>(flow.scenario().run_for).count());
  return fmt::format("[{:=>{}}>{:{}}]{}", "", done, "", width - std::min(done, width), times);
}

std::size_t attempts_from(const Flow& flow, const std::string& id) {
  return static_cast<std::size_t>(std::ranges::count_if(
      flow.history().attempts, [&id](const Attempt& attempt) { return attempt.from_host == id; }));
}

// Each host, what it holds now and how often it has tried.
void add_hosts(const Flow& flow, const Account& account, std::vector<std::string>& lines) {
  const auto line = [&](const std::string& id, const std::string& name) {
    std::string holds;
    for (const MailAccount& mail : account.mails)
      if (!mail.custody.back().to && mail.custody.back().holder == name)
        holds += fmt::format("{}\"{}\"", holds.empty() ? "holds " : ", ", mail.subject);
    for (const KeptLetter& letter : flow.history().letters)
      if (letter.server == id)
        holds +=
            fmt::format("{}{} for {}", holds.empty() ? "" : ", ",
                        letter.reverse_path.empty() ? "a report" : "a letter", letter.recipient);
    const std::size_t tries = attempts_from(flow, id);
    lines.push_back(fmt::format("  {:<26} {:>4} {:<9} {}", name, tries,
                                tries == 1 ? "attempt" : "attempts", holds));
  };
  for (const ScenarioProgram& program : flow.scenario().programs) line(program.id, program.id);
  for (const ScenarioServer& server : flow.scenario().servers) line(server.id, server.name);
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::string_view rest = text;
  while (!rest.empty()) {
    const auto end = rest.find('\n');
    lines.emplace_back(rest.substr(0, end));
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
  return lines;
}

}  // namespace

std::string draw_flow(const Flow& flow, ScreenSize size) {
  const Account account = account_of(flow);
  std::vector<std::string> lines{flow.scenario().title, clock_line(flow, size.columns), ""};
  add_hosts(flow, account, lines);
  lines.emplace_back();
  const std::vector<std::string> events = lines_of(flow_timeline(flow, Detail::summed_up));
  const std::size_t rows = std::max(size.rows, rows_min);
  const std::size_t room = rows > lines.size() + 1 ? rows - lines.size() - 1 : 1;
  const std::size_t shown = std::min(room, events.size());
  lines.insert(lines.end(), events.end() - static_cast<std::ptrdiff_t>(shown), events.end());
  std::string text;
  for (const std::string& line : lines) text += cut(line, size.columns) + "\n";
  return text;
}

}  // namespace postern::lab
