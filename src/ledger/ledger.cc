#include "ledger/ledger.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "base/text.h"

namespace postern::ledger {
namespace {

using namespace std::chrono_literals;

constexpr Duration retry_min = 1s;
constexpr Duration retry_max = 5min;
/// A batch that fails again and again for a reason that nobody can mend must not stand in the way
/// of those behind it.
constexpr int batch_tries_max = 3;
constexpr Duration tidy_again = 1s;
constexpr Duration tidy_pause = 1h;
constexpr Duration space_check_pause = 10s;
constexpr Duration dropped_line_pause = 1min;

/// "20261124T032553Z"
std::string compact_time(WallTime time) {
  std::string text;
  for (const char c : format_iso8601(time).substr(0, 19))
    if (c != '-' && c != ':') text += c;
  return text + "Z";
}

std::string_view advice_for(Cause cause) {
  switch (cause) {
    case Cause::no_space:
      return "make room on the disk; recording goes on by itself";
    case Cause::no_permission:
      return "give ledger.db and the spool directory to the server's user; recording goes on by "
             "itself";
    case Cause::in_use:
      return "end the program that holds ledger.db locked; recording goes on by itself";
    default:
      return "mail goes on; recording is tried again";
  }
}

}  // namespace

struct Ledger::Desk {
  std::string path;
  std::unique_ptr<BatchWriter> writer;
  BatchWriter::Sizes sizes;
  Retention::Progress progress = Retention::Progress::done;
  std::vector<Deferral> deferrals;
};

Ledger::Ledger(const io::World& world, Log& log, LedgerOptions options)
    : world_(world),
      log_(log),
      options_(std::move(options)),
      desk_(std::make_shared<Desk>()),
      next_message_(static_cast<std::uint64_t>(
          std::chrono::floor<std::chrono::microseconds>(world.clock.wall_now().time_since_epoch())
              .count())),
      changed_(world.clock),
      settled_changed_(world.clock),
      tasks_(world.executor, world.clock, 1) {
  desk_->path = options_.directory.empty() ? std::string(Database::in_memory)
                                           : fmt::format("{}/{}", options_.directory, file_name);
}

Ledger::~Ledger() = default;

void Ledger::start() {
  if (options_.enabled) tasks_.spawn("ledger", run());
}

io::Task<> Ledger::stop() {
  stopping_ = true;
  changed_.wake_all();
  co_await tasks_.join();
}

// --- what sessions call

void Ledger::add(Event event) {
  if (!options_.enabled) return;
  if (buffer_.size() >= options_.buffered_max || stopping_) {
    ++counts_.dropped;
    tell_dropped();
    return;
  }
  if (buffer_.empty()) oldest_ = world_.clock.now();
  buffer_.add(std::move(event));
  ++told_;
  if (buffer_.size() == 1 || buffer_.size() == options_.batch_max) changed_.wake_one();
}

void Ledger::drop(std::uint64_t count) {
  if (count == 0) return;
  settled_ += count;
  counts_.dropped += count;
  settled_changed_.wake_all();
  tell_dropped();
}

void Ledger::tell_dropped() {
  if (world_.clock.now() < next_dropped_line_) return;
  next_dropped_line_ = world_.clock.now() + dropped_line_pause;
  log_.line(Severity::warning, "ledger_dropped",
            {{"events", counts_.dropped - dropped_told_},
             {"why", problem_.empty() ? "they came faster than they could be written" : problem_}});
  dropped_told_ = counts_.dropped;
}

io::Task<> Ledger::flush() {
  const std::uint64_t until = told_;
  while (options_.enabled && settled_ < until && tasks_.size() > 0) {
    flush_until_ = std::max(flush_until_, until);
    changed_.wake_all();
    co_await settled_changed_.wait(io::Deadline::never());
  }
}

io::Task<Result<std::vector<Deferral>>> Ledger::deferrals(std::size_t count_max) {
  co_await flush();
  CO_TRY_VOID(co_await work([count_max](Desk& desk) -> Result<> {
    if (!desk.writer) return our_failure(Cause::other, "the ledger's database is not open");
    TRY(desk.deferrals, desk.writer->deferrals(count_max));
    return {};
  }));
  co_return std::exchange(desk_->deferrals, {});
}

Ledger::Counts Ledger::counts() const {
  Counts counts = counts_;
  counts.buffered = buffer_.size() + (batch_ ? batch_->size() : 0);
  return counts;
}

// --- the task that writes

io::Task<> Ledger::run() {
  while (true) {
    Result<> done;
    if (!open_) done = co_await open();
    if (done && co_await wait_for_batch()) done = co_await write_batch();
    if (done && !stopping_) done = co_await tidy();
    const bool failed = !done;
    if (failed) co_await recover_from(std::move(done).error());
    if (stopping_ && (failed || (buffer_.empty() && !batch_))) break;
  }
  if (batch_) drop(std::exchange(batch_, nullptr)->size());
  drop(std::exchange(buffer_, {}).size());
  (void)co_await work([](Desk& desk) -> Result<> {
    desk.writer.reset();
    return {};
  });
}

/// True: there is something to write. False: there is something to tidy, or it is the end.
io::Task<bool> Ledger::wait_for_batch() {
  while (!stopping_) {
    const SteadyTime now = world_.clock.now();
    if (batch_ || buffer_.size() >= options_.batch_max) co_return true;
    if (!buffer_.empty() && (settled_ < flush_until_ || now >= oldest_ + options_.batch_interval))
      co_return true;
    if (now >= next_tidy_) co_return false;
    SteadyTime until = next_tidy_;
    if (!buffer_.empty()) until = std::min(until, oldest_ + options_.batch_interval);
    co_await changed_.wait(io::Deadline::at(until));
  }
  co_return batch_ || !buffer_.empty();
}

io::Task<Result<>> Ledger::work(std::move_only_function<Result<>(Desk&)> work) {
  struct Job {
    std::shared_ptr<Desk> desk;
    std::move_only_function<Result<>(Desk&)> work;
    Result<> result;
  };
  const auto job = std::make_shared<Job>(Job{desk_, std::move(work), {}});
  co_await world_.ledger_worker.run([job] { job->result = job->work(*job->desk); });
  co_return std::move(job->result);
}

io::Task<Result<>> Ledger::open() {
  CO_TRY_VOID(co_await check_space());
  // With the mode of the other files of the spool, which SQLite gives to those beside it.
  if (!options_.directory.empty()) {
    const auto listed = co_await world_.disk.list("");
    if (listed && std::ranges::find(*listed, file_name) == listed->end())
      CO_TRY_VOID(co_await world_.disk.create(std::string(file_name)));
  }
  const auto opened = co_await work([now = world_.clock.wall_now()](Desk& desk) -> Result<> {
    TRY(desk.writer, BatchWriter::open(desk.path, now));
    TRY(desk.sizes, desk.writer->sizes());
    return {};
  });
  if (!opened) co_return opened;
  open_ = true;
  if (!problem_.empty())
    log_.line(Severity::info, "ledger_back", {{"dropped", counts_.dropped - dropped_told_}});
  problem_.clear();
  take_sizes();
  co_return Result<>{};
}

io::Task<Result<>> Ledger::write_batch() {
  CO_TRY_VOID(co_await check_space());
  const SteadyTime began = world_.clock.now();
  if (!batch_)
    batch_ = std::make_shared<EventBatch>(std::exchange(buffer_, std::exchange(spare_, {})));
  const std::size_t count = batch_->size();
  CO_TRY_VOID(co_await work([batch = batch_](Desk& desk) -> Result<> {
    TRY_VOID(desk.writer->write(batch->events()));
    TRY(desk.sizes, desk.writer->sizes());
    batch->clear();  // here, where it holds up nobody
    return {};
  }));
  // What comes must not outrun what goes.
  rows_to_remove_ = std::max<std::uint64_t>(options_.keep.rows_per_step, 2 * count);
  const Duration took = world_.clock.now() - began;
  failures_ = 0;
  ++counts_.batches;
  counts_.written += count;
  counts_.batch_time += took;
  counts_.batch_time_max = std::max(counts_.batch_time_max, took);
  take_sizes();
  settled_ += count;
  spare_ = std::move(*std::exchange(batch_, nullptr));
  settled_changed_.wake_all();
  if (!buffer_.empty()) oldest_ = world_.clock.now();
  next_tidy_ = std::min(next_tidy_, world_.clock.now());
  co_return Result<>{};
}

void Ledger::take_sizes() {
  counts_.database_bytes = desk_->sizes.database_bytes;
  counts_.deferrals_open = desk_->sizes.deferrals_open;
}

io::Task<Result<>> Ledger::tidy() {
  if (world_.clock.now() < next_tidy_) co_return Result<>{};
  Retention::Limits keep = options_.keep;
  keep.rows_per_step = std::max(keep.rows_per_step, std::exchange(rows_to_remove_, 0));
  CO_TRY_VOID(co_await work([keep, now = world_.clock.wall_now()](Desk& desk) -> Result<> {
    TRY(desk.progress, desk.writer->expire(keep, now));
    TRY(desk.sizes, desk.writer->sizes());
    return {};
  }));
  take_sizes();
  const bool more = desk_->progress == Retention::Progress::more_to_do;
  next_tidy_ = world_.clock.now() + (more ? tidy_again : tidy_pause);
  co_return Result<>{};
}

// The queue needs the disk's last bytes for mail.
io::Task<Result<>> Ledger::check_space() {
  if (options_.directory.empty() || world_.clock.now() < next_space_check_) co_return Result<>{};
  CO_TRY(const std::uint64_t free, co_await world_.disk.free_bytes());
  if (free < options_.free_bytes_min)
    co_return our_failure(Cause::no_space,
                          fmt::format("only {} bytes of the disk are free, and the last {} are "
                                      "left to mail",
                                      free, options_.free_bytes_min));
  next_space_check_ = world_.clock.now() + space_check_pause;
  co_return Result<>{};
}

// --- failures

/// What the writer knows may differ from the file now: it is opened anew, after a pause that grows.
io::Task<> Ledger::recover_from(Error error) {
  open_ = false;
  ++failures_;
  ++counts_.errors;
  (void)co_await work([](Desk& desk) -> Result<> {
    desk.writer.reset();
    return {};
  });
  if (error.cause == Cause::damaged) {
    const Result<> aside = co_await set_aside(error);
    if (aside) co_return;
    error = aside.error();
  }
  const bool news = problem_ != error.what;
  problem_ = error.what;
  const Duration wait =
      std::min<Duration>(retry_max, retry_min * (1 << std::min(failures_ - 1, 10)));
  if (news || wait == retry_max)
    log_.line(Severity::error, "ledger_failed",
              {{"what", error.what},
               {"advice", error.blame == Blame::operator_ ? "mail goes on, nothing is recorded"
                                                          : advice_for(error.cause)},
               {"again_after", format_duration(wait)}});
  if (batch_ && error.cause == Cause::other && failures_ >= batch_tries_max)
    drop(std::exchange(batch_, nullptr)->size());
  co_await pause(wait);
}

io::Task<> Ledger::pause(Duration pause) {
  const io::Deadline deadline = world_.clock.in(pause);
  while (!stopping_ && co_await changed_.wait(deadline)) {
  }
}

io::Task<Result<>> Ledger::set_aside(const Error& why) {
  if (options_.directory.empty()) co_return Result<>{};
  const std::string name(file_name);
  const std::string prefix = name + ".damaged-";
  CO_TRY(const auto names, co_await world_.disk.list(""));
  const auto kept = static_cast<std::size_t>(std::ranges::count_if(
      names, [&](const std::string& n) { return n.starts_with(prefix) && !n.ends_with("-wal"); }));
  if (kept >= set_aside_max)
    co_return fail(Persistence::permanent, Blame::operator_, Cause::other,
                   fmt::format("{}; there are {} files {}* already: look at the disk, remove them",
                               why.what, kept, prefix));
  const std::string aside = prefix + compact_time(world_.clock.wall_now());
  // First what belongs to the file: alone, it would be played into the next one.
  for (const std::string_view suffix : {"-shm", "-wal", ""}) {
    const std::string from = name + std::string(suffix);
    if (std::ranges::find(names, from) == names.end()) continue;
    if (suffix == "-shm")
      CO_TRY_VOID(co_await world_.disk.remove(from));
    else
      CO_TRY_VOID(co_await world_.disk.rename(from, aside + std::string(suffix)));
  }
  ++counts_.set_aside;
  log_.line(Severity::error, "ledger_set_aside",
            {{"what", why.what},
             {"file", aside},
             {"advice", "a new ledger.db is begun; `sqlite3 FILE .recover` may read the old one"}});
  co_return Result<>{};
}

}  // namespace postern::ledger
