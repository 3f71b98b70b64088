#include "app/top_screen.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "base/time.h"

namespace postern::app {
namespace {

enum class Colour : std::uint8_t { none, bold, red, green };

/// Lines of one width, however long what is put into them.
class Page {
 public:
  Page(TerminalSize size, bool colours) : size_(size), colours_(colours) {}

  void line(std::string_view text, Colour colour = Colour::none) {
    if (rows_ == size_.rows) return;
    ++rows_;
    const std::string_view shown = text.substr(0, size_.columns);
    static constexpr std::array codes{"", "\x1b[1m", "\x1b[31m", "\x1b[32m"};
    const bool plain = !colours_ || colour == Colour::none;
    text_ += plain ? std::string(shown)
                   : codes[static_cast<std::size_t>(colour)] + std::string(shown) + "\x1b[0m";
    text_ += '\n';
  }
  [[nodiscard]] std::size_t rows_left() const { return size_.rows - rows_; }
  [[nodiscard]] std::string text() && { return std::move(text_); }

 private:
  TerminalSize size_;
  bool colours_;
  std::size_t rows_ = 0;
  std::string text_;
};

std::string rate_text(double rate) {
  if (rate == 0) return "0";
  if (rate < 10) return fmt::format("{:.2f}", rate);
  return rate < 1000 ? fmt::format("{:.1f}", rate) : count_text(rate);
}

std::string span_text(double seconds) {
  return format_duration(std::chrono::seconds(static_cast<std::int64_t>(seconds)));
}

/// "accepted 3.10/s  refused 0/s"
std::string rates_text(const TopFigures::Rates& rates,
                       std::initializer_list<std::pair<const char*, const char*>> shown) {
  std::string text;
  for (const auto& [key, word] : shown) {
    const auto at = rates.find(key);
    text += fmt::format("{}{} {}/s", text.empty() ? "" : "  ", word,
                        rate_text(at == rates.end() ? 0 : at->second));
  }
  return text;
}

void add_traffic(Page& page, const TopFigures& figures) {
  const auto row = [&page](std::string_view name, const std::string& text) {
    page.line(fmt::format("{:<11} {}", name, text));
  };
  row("sessions",
      fmt::format("{} now  new {}/s  turned away {}/s", count_text(figures.sessions),
                  rate_text(figures.connections_rate), rate_text(figures.turned_away_rate)));
  row("replies", rates_text(figures.replies,
                            {{"2xx", "2xx"}, {"3xx", "3xx"}, {"4xx", "4xx"}, {"5xx", "5xx"}}));
  row("recipients", rates_text(figures.recipients, {{"accepted", "accepted"},
                                                    {"unknown_ip", "unknown IP"},
                                                    {"relay_denied", "relay"},
                                                    {"no_such_user", "no such user"}}));
  row("messages", fmt::format("{}  {}B/s",
                              rates_text(figures.messages, {{"accepted", "accepted"},
                                                            {"refused", "refused"},
                                                            {"lost", "lost"},
                                                            {"failed", "failed"}}),
                              count_text(figures.message_bytes_rate)));
  row("queue",
      fmt::format("{} messages, the oldest {}  under way {}  held {}  dead {}  free {}B",
                  count_text(figures.queue_messages), span_text(figures.queue_oldest_seconds),
                  count_text(figures.queue_under_way), count_text(figures.queue_held),
                  count_text(figures.dead_letters), count_text(figures.free_bytes)));
  row("deliveries", fmt::format("{}  reports {}/s",
                                rates_text(figures.deliveries, {{"delivered", "delivered"},
                                                                {"deferred", "deferred"},
                                                                {"bounced", "bounced"}}),
                                rate_text(figures.reports_rate)));
  row("DNS",
      fmt::format("{}/s, without an answer {}/s  from our cache {}",
                  rate_text(figures.lookups_rate), rate_text(figures.lookups_failed_rate),
                  figures.cache_share ? fmt::format("{:.0f} %", 100 * *figures.cache_share) : "-"));
}

constexpr std::size_t left_width = 38;

/// What was decided, on the left; how long things took, on the right.
void add_decisions(Page& page, const TopFigures& figures) {
  page.line(fmt::format("{:<{}}{:<14}{:>8}{:>9}{:>9}",
                        fmt::format("{:<11}{:>9}{:>12}", "UNKNOWN IP", "per s", "total"),
                        left_width, "LATENCY", "p50", "p95", "p99"),
            Colour::bold);
  const std::size_t rows = std::max(figures.states.size(), figures.latencies.size());
  for (std::size_t i = 0; i < rows; ++i) {
    std::string left;
    bool alarming = false;
    if (i < figures.states.size()) {
      const TopFigures::State& state = figures.states[i];
      left = fmt::format("{:<11}{:>9}{:>12}", state.name, rate_text(state.rate),
                         count_text(state.total));
      alarming = state.name == "temperror" && state.rate > 0;
    }
    std::string right;
    if (i < figures.latencies.size()) {
      const TopFigures::Latency& latency = figures.latencies[i];
      right = fmt::format("{:<14}{:>8}{:>9}{:>9}", latency.name, latency_text(latency.p50),
                          latency_text(latency.p95), latency_text(latency.p99));
    }
    page.line(right.empty() ? left : fmt::format("{:<{}}{}", left, left_width, right),
              alarming ? Colour::red : Colour::none);
  }
}

void add_refusals(Page& page, const TopFigures& figures, std::size_t rows) {
  page.line(fmt::format("{:<52}{}",
                        fmt::format("REFUSED CLIENTS OF THE LAST {}",
                                    span_text(figures.refusals_window_seconds)),
                        "CAUSES"),
            Colour::bold);
  const std::size_t shown = std::min(rows, std::max(figures.clients.size(), figures.causes.size()));
  for (std::size_t i = 0; i < shown; ++i) {
    std::string left;
    if (i < figures.clients.size())
      left = fmt::format("{:>7} {:<28.28} {:<14.14}",
                         count_text(static_cast<double>(figures.clients[i].count)),
                         figures.clients[i].client, figures.clients[i].cause);
    std::string right;
    if (i < figures.causes.size())
      right = fmt::format("{:>7} {}", count_text(static_cast<double>(figures.causes[i].count)),
                          figures.causes[i].cause);
    page.line(right.empty() ? left : fmt::format("{:<52}{}", left, right));
  }
  if (shown == 0) page.line("nobody");
}

}  // namespace

std::string latency_text(const std::optional<double>& seconds) {
  if (!seconds) return "-";
  if (*seconds < 0.0995) return fmt::format("{:.1f}ms", 1000 * *seconds);
  if (*seconds < 0.9995) return fmt::format("{:.0f}ms", 1000 * *seconds);
  return fmt::format("{:.1f}s", *seconds);
}

std::string count_text(double count) {
  if (count < 9999.5) return fmt::format("{:.0f}", count);
  for (const char unit : {'k', 'M', 'G', 'T'}) {
    count /= 1000;
    if (count < 999.5) return fmt::format("{:.1f}{}", count, unit);
  }
  return fmt::format("{:.0f}P", count / 1000);
}

std::string draw_top(const TopFigures& figures, TerminalSize size, bool colours) {
  Page page(size, colours);
  page.line(
      fmt::format("{}  postern {}  up {}  mode {}  over {:.1f}s", figures.hostname, figures.version,
                  span_text(figures.uptime_seconds), figures.mode, figures.interval_seconds),
      Colour::bold);
  if (figures.troubles.empty())
    page.line("ready", Colour::green);
  else
    page.line(
        fmt::format("{}{}: {}", figures.ready ? "ready, but" : "NOT READY",
                    figures.troubles.size() > 1
                        ? fmt::format(" ({} things, see `postern status`)", figures.troubles.size())
                        : "",
                    figures.troubles.front()),
        Colour::red);
  add_traffic(page, figures);
  page.line("");
  add_decisions(page, figures);
  page.line("");
  add_refusals(page, figures, page.rows_left() - 1);
  return std::move(page).text();
}

}  // namespace postern::app
