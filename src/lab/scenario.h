#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/embedded.h"
#include "base/ip.h"
#include "base/time.h"
#include "lab/outlet.h"
#include "server/server.h"
#include "settings/diagnostic.h"
#include "upstream/profile.h"

namespace postern::lab {

/// What a server of a scenario is made of.
enum class Engine : std::uint8_t {
  postern,    ///< Postern itself
  profile,    ///< a model of another product
  mailboxes,  ///< takes mail for its mailboxes, and sends none
};

/// A mail server of a scenario. All times of a scenario are since its beginning.
struct ScenarioServer {
  std::string id;
  std::string name;  ///< its host name
  IpAddress address;
  Engine engine = Engine::mailboxes;
  std::string profile;                 ///< of Engine::profile
  std::vector<std::string> mailboxes;  ///< addresses; not with Engine::postern
  std::vector<Outlet> pool;            ///< Engine::profile: sends from these too, by turns
  Duration late_max{};                 ///< Engine::profile: how late it tries again, at the most
  std::string smarthost;  ///< the id of the server that all mail for others goes to; empty: by MX
  /// Engine::postern: everything but what follows from the scenario (names, routes).
  server::ServerOptions postern;
  std::string route;  ///< Engine::postern: the id of the server behind it; empty: by MX
};

/// A mail program: hands its user's mail to a server.
struct ScenarioProgram {
  std::string id;
  IpAddress address;
  std::string server;  ///< an id
};

struct ScenarioMail {
  std::string program;  ///< an id
  Duration at{};
  std::string from;
  std::vector<std::string> to;
  std::string subject;
  std::string text;
};

/// Something that changes around the servers. Exactly one of the three.
struct ScenarioEvent {
  Duration at{};
  Duration until{};        ///< of the last two
  std::string publish;     ///< zone text that the DNS has from now on
  std::string dns_outage;  ///< the id of a server whose resolver does not answer
  std::string down;        ///< the id of a server that refuses connections
  std::string says;        ///< for the timeline; empty: in our words
};

/// What must come out.
struct Expectation {
  enum class Kind : std::uint8_t { refused, report, delivered };
  Kind kind = Kind::report;
  settings::Place place;
  std::string reply;                   ///< refused: how the reply begins
  std::string report;                  ///< report: "failure" or "delay"
  std::string to;                      ///< report, delivered: an address
  std::string from_server;             ///< refused: an id, or empty
  std::string by;                      ///< refused, report: an id, or empty
  std::optional<std::uint64_t> count;  ///< how often; not given: at least once
  std::optional<Duration> at;          ///< of the first
  Duration within{};                   ///< later than `at` by this much at the most
  std::optional<bool> quotes_reply;
};

/// Servers, what is sent, what changes, and what must come out. Plain values.
struct Scenario {
  std::string title;
  std::string story;
  Duration run_for = std::chrono::hours(24 * 8);
  std::string upstream;  ///< the id of the server whose profile may be replaced; may be empty
  std::string zone;
  std::vector<ScenarioServer> servers;
  std::vector<ScenarioProgram> programs;
  std::vector<ScenarioMail> mails;
  std::vector<ScenarioEvent> events;
  std::vector<Expectation> expectations;

  [[nodiscard]] const ScenarioServer* server(std::string_view id) const;
  ScenarioServer* server(std::string_view id);
  [[nodiscard]] const ScenarioProgram* program(std::string_view id) const;
};

inline constexpr std::size_t scenario_servers_max = 50;
inline constexpr std::size_t scenario_mails_max = 200;
inline constexpr Duration scenario_time_max = std::chrono::hours(24 * 60);

struct ReadScenario {
  Scenario scenario;
  std::vector<settings::Diagnostic> diagnostics;  ///< with an error: not to be run
};

/// Reads the text of a scenario file (docs/lab.md). `file` is its name, for diagnostics.
ReadScenario read_scenario(std::string_view text, std::string file,
                           const upstream::Profiles& profiles);

/// scenarios/*.toml, by name: those that are part of the program.
std::span<const EmbeddedText> shipped_scenarios();

}  // namespace postern::lab
