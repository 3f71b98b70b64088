#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/time.h"
#include "io/world.h"
#include "mail/address.h"
#include "policy/recipient_probe.h"

namespace postern::policy {

/// What `recipients.probe` in the configuration sets.
struct ProbeOptions {
  /// How long a client waits for an answer. The probe goes on without it, so that the answer is
  /// there when the client's server tries again.
  Duration timeout = std::chrono::seconds(6);
  /// How long a recipient counts as known without another positive answer; after `known_refresh`
  /// the next hop is asked again, while the old answer still counts.
  Duration known_ttl = std::chrono::hours(31 * 24);
  Duration known_refresh = std::chrono::hours(7 * 24);
  /// The same for recipients that the next hop refused. After `unknown_refresh` the client waits
  /// for the new answer: the recipient may have come into being meanwhile.
  Duration unknown_ttl = std::chrono::hours(3 * 24);
  Duration unknown_refresh = std::chrono::hours(3);
  /// How soon one recipient may be asked about again after no answer.
  Duration undecided_ttl = std::chrono::seconds(30);
  /// Recipients that are known, and as many that are not: who guesses addresses cannot push those
  /// out that exist.
  std::size_t entries_max = 100'000;
  bool operator==(const ProbeOptions&) const = default;
};

/// Whether a client waits for an answer that is not there yet.
enum class Patience : std::uint8_t { wait, none };

/// What next hops said about recipients: a cache in memory over a RecipientProbe, so that one
/// recipient is asked about once at a time, and seldom. Empty after a start. One for each shard.
/// Bounds: ProbeOptions::entries_max, and asks_max questions under way.
class ProbedRecipients {
 public:
  ProbedRecipients(const io::World& world, RecipientProbe& probe, const ProbeOptions& options);
  ~ProbedRecipients();
  ProbedRecipients(const ProbedRecipients&) = delete;
  ProbedRecipients& operator=(const ProbedRecipients&) = delete;

  /// What is known of the recipient, asked for when it is not; `undecided` when there is no answer
  /// ProbeOptions::timeout after the question. RFC 5321 section 2.4: local parts that differ in
  /// their case are asked about each for itself, since only the next hop can tell.
  io::Task<ProbeAnswer> find(mail::Mailbox recipient, Patience patience);

  /// For what begins from now on. Forgets which recipients are unknown, so that the operator has a
  /// way to say "I made that mailbox just now".
  void set_options(const ProbeOptions& options);
  /// Asks nothing more; who waits gets `undecided` at once. Resumes when the questions under way
  /// have ended, so end the RecipientProbe first to be quick. Before destruction.
  io::Task<> stop();

  [[nodiscard]] std::size_t known() const;      ///< recipients in the cache that exist
  [[nodiscard]] std::size_t others() const;     ///< and that do not, or of whom nothing is known
  [[nodiscard]] std::size_t under_way() const;  ///< questions

  static constexpr std::size_t asks_max = 1000;

 private:
  struct Entry;
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace postern::policy
