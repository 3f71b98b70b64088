#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "io/notify.h"
#include "io/task_group.h"
#include "io/world.h"
#include "ledger/batch_writer.h"
#include "ledger/recorder.h"

namespace postern::ledger {

struct LedgerOptions {
  bool enabled = true;
  /// Where `ledger.db` is: the directory of the World's Disk. Empty: in memory, for a simulated
  /// world.
  std::string directory;
  Retention::Limits keep;
  std::uint64_t free_bytes_min = 128 << 20;  ///< with less, nothing is written
  std::size_t buffered_max = 20'000;         ///< events that wait; about 700 bytes each
  std::size_t batch_max = 10'000;            ///< as many are written at once, before the interval
  Duration batch_interval = std::chrono::seconds(1);
};

/// Keeps what sessions tell, in the database of docs/design/ledger.md. Mail does not depend on it:
/// telling never waits, and what cannot be kept (the database cannot be opened or written, or there
/// is more than it can take) is counted, and logged at a bounded rate. A damaged database, or
/// another program's, is set aside as `ledger.db.damaged-TIME` and a new one begun; a newer
/// server's is left as it is.
///
/// Lifecycle: construct, start(), stop() before destruction. On one shard; the database is the
/// world's ledger_worker's.
class Ledger final : public Recorder {
 public:
  static constexpr std::string_view file_name = "ledger.db";
  static constexpr std::size_t set_aside_max = 3;  ///< damaged files; with more it stays off

  struct Counts {
    std::uint64_t written = 0;  ///< events
    std::uint64_t dropped = 0;  ///< events
    std::uint64_t batches = 0;
    std::uint64_t errors = 0;
    std::uint64_t set_aside = 0;
    std::uint64_t buffered = 0;  ///< now
    Duration batch_time{};       ///< of all batches together: their waiting and their writing
    Duration batch_time_max{};
    std::uint64_t database_bytes = 0;  ///< after the last batch
    std::uint64_t deferrals_open = 0;  ///< BatchWriter::Sizes
  };

  /// `log` and what `world` refers to outlive it.
  Ledger(const io::World& world, Log& log, LedgerOptions options);
  ~Ledger() override;

  /// Opens the database; what is told meanwhile waits. Once; nothing when it is not enabled.
  void start();
  /// Writes what waits, tries once where it fails, and closes the database.
  io::Task<> stop();
  /// What to keep changes at once; the rest at the next start.
  void set_keep(const Retention::Limits& keep) { options_.keep = keep; }

  std::uint64_t begin_message() override { return next_message_++; }
  void refused(Refusal refusal) override { add(std::move(refusal)); }
  void accepted(Acceptance acceptance) override { add(std::move(acceptance)); }

  /// Resumes when what was told so far is written, or dropped.
  io::Task<> flush();
  /// What is kept, with what was told so far; `count_max` at most, in the order in which they
  /// began. Error: the database is not open.
  io::Task<Result<std::vector<Deferral>>> deferrals(std::size_t count_max = 100'000);

  [[nodiscard]] bool enabled() const { return options_.enabled; }
  /// Why nothing is written at the moment, with what to do; empty: all is well.
  [[nodiscard]] const std::string& problem() const { return problem_; }
  [[nodiscard]] Counts counts() const;

 private:
  /// What the worker has: owned by both sides, so that neither end of a shutdown matters.
  struct Desk;

  void add(Event event);
  io::Task<> run();
  io::Task<bool> wait_for_batch();
  io::Task<> pause(Duration pause);
  io::Task<Result<>> work(std::move_only_function<Result<>(Desk&)> work);
  io::Task<Result<>> open();
  io::Task<Result<>> set_aside(const Error& why);
  io::Task<Result<>> write_batch();
  io::Task<Result<>> tidy();
  void take_sizes();
  io::Task<Result<>> check_space();
  io::Task<> recover_from(Error error);
  void drop(std::uint64_t count);
  void tell_dropped();

  io::World world_;
  Log& log_;
  LedgerOptions options_;
  std::shared_ptr<Desk> desk_;
  std::uint64_t
      next_message_;  ///< from a clock's microseconds on, so that no start repeats another
  EventBatch buffer_;
  EventBatch spare_;                   ///< empty: the room of the batch before, for the next buffer
  std::shared_ptr<EventBatch> batch_;  ///< on its way, or not written in the last try
  std::uint64_t told_ = 0;             ///< events that were taken
  std::uint64_t settled_ = 0;          ///< of them, written or dropped
  std::uint64_t flush_until_ = 0;
  SteadyTime oldest_;  ///< when the first of the buffer came
  SteadyTime next_tidy_;
  SteadyTime next_space_check_;
  SteadyTime next_dropped_line_;
  std::uint64_t dropped_told_ = 0;
  std::uint64_t rows_to_remove_ = 0;  ///< in the next step, at least
  int failures_ = 0;                  ///< in a row
  bool open_ = false;
  bool stopping_ = false;
  std::string problem_;
  Counts counts_;
  io::Notify changed_;
  io::Notify settled_changed_;
  io::TaskGroup tasks_;
};

}  // namespace postern::ledger
