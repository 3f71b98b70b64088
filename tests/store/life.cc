#include "life.h"

#include <filesystem>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/check.h"

namespace postern::store_test {
namespace {

constexpr std::size_t large_bytes = 200'000;
constexpr std::size_t senders = 6;

mail::Envelope envelope_to(std::string recipient) {
  mail::Envelope envelope;
  envelope.recipients.emplace_back().address = std::move(recipient);
  return envelope;
}

}  // namespace

Lives::Lives(std::uint64_t seed)
    : dice(seed), sim_(seed), host_(sim_.add_host("gw", *IpAddress::parse("192.0.2.10"))) {
  std::string pattern = (std::filesystem::temp_directory_path() / "postern-store-XXXXXX").string();
  CHECK(mkdtemp(pattern.data()) != nullptr);
  directory_ = pattern;
  environment_ = rocksdb::NewCompositeEnv(
      std::shared_ptr<rocksdb::FileSystem>(&files, [](rocksdb::FileSystem*) {}));
}

Lives::~Lives() {
  end(io::CrashKind::process);
  std::filesystem::remove_all(directory_);
}

Result<> Lives::begin() {
  queue::RocksdbOptions options;
  options.environment = environment_.get();
  options.memtable_bytes = 256 << 10;  // tables are written and merged within a life
  TRY(store_, queue::RocksdbStore::open(database(), options));
  queue_ = std::make_unique<queue::Queue>(host_.world(), *store_, log, queue::QueueOptions{});
  Result<> recovered;
  CHECK(sim_.run_task(host_, recover(&recovered)));
  return recovered;
}

io::Task<> Lives::recover(Result<>* result) {
  *result = co_await queue_->recover();
}

void Lives::work(Duration how_long) {
  for (std::size_t i = 0; i < senders; ++i) host_.spawn("sender", send(static_cast<int>(i)));
  host_.spawn("deliver", deliver());
  CHECK(sim_.run_for(how_long));
}

void Lives::end(io::CrashKind kind, FaultyFileSystem::Tail tail) {
  host_.crash(kind);
  queue_.reset();
  if (kind == io::CrashKind::power) files.stop_after(0);  // closing writes nothing any more
  store_.reset();
  files.heal();
  if (kind == io::CrashKind::power) files.lose_power(dice, tail);
}

// --- the workload

// Odd numbers are refused by the next hop and cause a report; one in eight is large.
io::Task<> Lives::send(int /*sender*/) {
  while (true) {
    const int number = next_number_++;
    Promise& promise = promises[number];
    promise.fails = number % 2 == 1;
    queue::Provenance provenance;
    provenance.arrived = host_.clock().wall_now();
    mail::Envelope envelope = envelope_to("bob@x.example");
    envelope.reverse_path = "ann@sender.example";
    auto intake = queue_->begin(std::move(envelope), std::move(provenance));
    if (!intake) {
      co_await host_.clock().sleep_for(std::chrono::milliseconds(20));
      continue;
    }
    std::string content = fmt::format("message {}.", number);
    content.append(dice.below(8) == 0 ? large_bytes : dice.below(3000), '.');
    if (!co_await (*intake)->append(content)) continue;
    if (co_await (*intake)->commit()) promise.acknowledged = true;
    co_await host_.clock().sleep_for(std::chrono::milliseconds(5 + dice.below(20)));
  }
}

io::Task<> Lives::deliver() {
  while (true) {
    std::optional<queue::Lease> lease = co_await queue_->lease("x.example");
    if (!lease) {
      co_await host_.clock().sleep_for(std::chrono::milliseconds(3));
      continue;
    }
    const auto content = co_await read(*lease);
    if (!content) {
      ADD_FAILURE() << "content does not read: " << content.error().what;
      continue;
    }
    const int number = std::stoi(content->substr(8));
    Promise& promise = promises.at(number);
    queue::RecipientOutcome outcome;
    outcome.state =
        promise.fails ? queue::RecipientState::failed : queue::RecipientState::delivered;
    std::optional<queue::NewMessage> report;
    if (promise.fails) report = report_on(number);
    const auto done = co_await queue_->complete(*std::move(lease), {outcome}, std::move(report));
    (done ? promise.completed : promise.unclear) = true;
  }
}

queue::NewMessage Lives::report_on(int number) const {
  queue::NewMessage report;
  report.envelope = envelope_to("ann@sender.example");
  report.provenance.protocol = "report";
  report.content = fmt::format("report on {}.", number);
  if (number % 16 == 1) report.content.append(large_bytes, '.');
  return report;
}

io::Task<Result<std::string>> Lives::read(const queue::Lease& lease) {
  CO_TRY(const std::unique_ptr<queue::Content> content, co_await queue_->content(lease));
  std::string all;
  while (true) {
    CO_TRY(const std::string_view chunk, co_await content->next_chunk());
    if (chunk.empty()) break;
    all += chunk;
  }
  co_return all;
}

// --- the account

io::Task<> Lives::take_from(std::string destination, std::map<std::string, int>* found) {
  while (auto lease = co_await queue_->lease(destination)) {
    const auto content = co_await read(*lease);
    if (content)
      ++(*found)[content->substr(0, content->find('.'))];
    else
      ++log.troubles[content.error().what];
    queue::RecipientOutcome delivered;
    delivered.state = queue::RecipientState::delivered;
    (void)co_await queue_->complete(*std::move(lease), {delivered}, std::nullopt);
  }
}

io::Task<> Lives::take_all(std::map<std::string, int>* found) {
  co_await take_from("x.example", found);
  co_await take_from("sender.example", found);
}

std::vector<std::string> Lives::settle(Damage damage) {
  std::map<std::string, int> found;
  CHECK(sim_.run_task(host_, take_all(&found)));
  std::vector<std::string> wrong;
  for (const auto& [number, promise] : promises) {
    const int copies = found[fmt::format("message {}", number)];
    const int reports = found[fmt::format("report on {}", number)];
    const auto complain = [&](std::string_view what) {
      wrong.push_back(
          fmt::format("message {}: {} ({} copies, {} reports)", number, what, copies, reports));
    };
    if (copies > 1 || reports > 1) complain("more than one");
    if (!promise.fails && reports > 0) complain("a report on what was not refused");
    // Outcome, report and removal are one commit.
    if (copies + reports > 1) complain("both the message and its report");
    if (damage == Damage::made) continue;
    const bool still_ours = promise.acknowledged && !promise.completed && !promise.unclear;
    if (still_ours && copies != 1) complain("acknowledged and lost");
    if (promise.fails && promise.acknowledged && copies + reports != 1)
      complain("neither the message nor its report");
    if (promise.fails && promise.completed && reports != 1) complain("its report is lost");
    if (!promise.fails && promise.completed && copies == 1) ++repeated;
  }
  const std::size_t gone =
      static_cast<std::size_t>(std::ranges::count_if(promises, [&](const auto& entry) {
        const auto& [number, promise] = entry;
        return promise.acknowledged && !promise.completed && !promise.unclear &&
               found[fmt::format("message {}", number)] == 0;
      }));
  if (gone > 0 && log.troubles.empty())
    wrong.push_back(fmt::format("{} messages are gone, and nothing was said of it", gone));
  promises.clear();
  return wrong;
}

}  // namespace postern::store_test
