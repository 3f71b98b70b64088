#pragma once

// For the room's tests: a queue on a simulated host, with calls that run the world until they end.

#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "io/sim/sim_world.h"
#include "queue/administration.h"
#include "queue/memory_store.h"
#include "queue/queue.h"

namespace postern::queue {

class RememberingLog final : public Log {
 public:
  void line(Severity severity, std::string_view event,
            std::initializer_list<LogField> fields) override {
    std::string text(event);
    for (const LogField& field : fields)
      if (const auto* value = std::get_if<std::string_view>(&field.value))
        text += " " + std::string(field.key) + "=" + std::string(*value);
    if (severity >= Severity::warning) troubles.push_back(text);
    lines.push_back(std::move(text));
  }
  void raw(Severity, std::string_view) override {}
  std::vector<std::string> lines;
  std::vector<std::string> troubles;
};

class QueueTest : public testing::Test {
 protected:
  QueueTest() { start(); }
  ~QueueTest() override { crash(); }

  void start() {
    queue = std::make_unique<Queue>(host.world(), store, log, options);
    queue->on_due([this](const std::string& destination) { told.push_back(destination); });
    run(recover());
  }
  void stop() {
    run(queue->drain());
    queue.reset();
  }
  /// Power fails. `kept` unsynced batches of the store survive.
  void crash(std::size_t kept = 0) {
    host.crash(io::CrashKind::power);
    queue.reset();
    store.crash(kept);
  }
  void restart() {
    stop();
    start();
  }

  void run(io::Task<> task) { ASSERT_TRUE(sim.run_task(host, std::move(task))); }

  static mail::Envelope envelope(std::vector<std::string> recipients) {
    mail::Envelope out;
    out.reverse_path = "sender@example.com";
    for (std::string& address : recipients) {
      mail::Recipient recipient;
      recipient.address = std::move(address);
      out.recipients.push_back(std::move(recipient));
    }
    return out;
  }

  Result<MessageId> enqueue(std::vector<std::string> recipients, std::string content) {
    Result<MessageId> out;
    run(enqueue_task(std::move(recipients), std::move(content), &out));
    return out;
  }
  std::optional<Lease> lease(const std::string& destination) {
    std::optional<Lease> out;
    run(lease_task(destination, &out));
    return out;
  }
  Result<std::string> read(const Lease& of) {
    Result<std::string> out;
    run(read_task(of, &out));
    return out;
  }
  Result<> complete(Lease of, std::vector<RecipientOutcome> outcomes,
                    std::optional<NewMessage> report = std::nullopt) {
    Result<> out;
    run(complete_task(std::move(of), std::move(outcomes), std::move(report), &out));
    return out;
  }
  Result<> remove(MessageId id) {
    Result<> out;
    run(remove_task(id, &out));
    return out;
  }
  /// The whole of a walk, step by step.
  std::vector<Summary> list(Walk walk = {}) {
    std::vector<Summary> out;
    run(list_task(std::move(walk), &out));
    return out;
  }
  std::vector<MessageId> ids(Walk walk = {}) {
    std::vector<MessageId> out;
    for (const Summary& summary : list(std::move(walk))) out.push_back(summary.id);
    return out;
  }
  std::shared_ptr<const QueuedMessage> show(MessageId id, Box box = Box::queue) {
    std::shared_ptr<const QueuedMessage> out;
    run(show_task(box, id, &out));
    return out;
  }
  Result<Acted> act(Command command, Walk walk) {
    Result<Acted> out;
    run(act_task(command, std::move(walk), &out));
    return out;
  }
  Result<Acted> act(Command command, MessageId id, Box box = Box::queue) {
    Walk walk;
    walk.box = box;
    walk.ids = {id};
    return act(command, std::move(walk));
  }
  Result<Lease> lease_all(MessageId id) {
    Result<Lease> out;
    run(lease_all_task(id, &out));
    return out;
  }
  /// In parts, as the control socket gives it.
  Result<std::string> export_content(MessageId id, Box box = Box::queue) {
    Result<std::string> out;
    run(export_task(box, id, &out));
    return out;
  }

  static RecipientOutcome outcome(std::uint32_t recipient, RecipientState state,
                                  WallTime next = {}) {
    return {.recipient = recipient,
            .state = state,
            .next_attempt = next,
            .reply = state == RecipientState::delivered ? "250 ok" : "450 later",
            .remote = "mx [192.0.2.1]:25"};
  }
  static NewMessage report(std::string content) {
    NewMessage out;
    out.envelope = envelope({"sender@sender.example"});
    out.envelope.reverse_path.clear();
    out.provenance.protocol = "report";
    out.content = std::move(content);
    return out;
  }

  // Coroutines are member functions: what they refer to outlives them.
  io::Task<> recover() {
    const Result<> recovered = co_await queue->recover();
    EXPECT_TRUE(recovered) << recovered.error().what;
  }
  io::Task<> recover_task(Result<>* out) { *out = co_await queue->recover(); }
  io::Task<> enqueue_task(std::vector<std::string> recipients, std::string content,
                          Result<MessageId>* out) {
    *out = co_await enqueue_steps(std::move(recipients), std::move(content));
  }
  io::Task<Result<MessageId>> enqueue_steps(std::vector<std::string> recipients,
                                            std::string content) {
    Provenance provenance;
    provenance.arrived = host.clock().wall_now();
    CO_TRY(const std::unique_ptr<Intake> intake,
           queue->begin(envelope(std::move(recipients)), std::move(provenance)));
    constexpr std::size_t chunk = 16 * 1024;
    for (std::size_t at = 0; at < content.size(); at += chunk)
      CO_TRY_VOID(co_await intake->append(std::string_view(content).substr(at, chunk)));
    const MessageId promised = intake->id();
    CO_TRY(const MessageId id, co_await intake->commit());
    EXPECT_EQ(id, promised);
    co_return id;
  }
  io::Task<> lease_task(std::string destination, std::optional<Lease>* out) {
    std::optional<Lease> got = co_await queue->lease(destination);
    if (got) out->emplace(std::move(*got));
  }
  io::Task<> read_task(const Lease& of, Result<std::string>* out) {
    *out = co_await read_steps(of);
  }
  io::Task<Result<std::string>> read_steps(const Lease& of) {
    CO_TRY(const std::unique_ptr<Content> content, co_await queue->content(of));
    std::string all;
    while (true) {
      CO_TRY(const std::string_view chunk, co_await content->next_chunk());
      if (chunk.empty()) break;
      all += chunk;
    }
    EXPECT_EQ(all.size(), content->size_bytes());
    co_return all;
  }
  io::Task<> complete_task(Lease of, std::vector<RecipientOutcome> outcomes,
                           std::optional<NewMessage> report, Result<>* out) {
    *out = co_await queue->complete(std::move(of), std::move(outcomes), std::move(report));
  }
  io::Task<> remove_task(MessageId id, Result<>* out) { *out = co_await queue->remove(id); }
  io::Task<> list_task(Walk walk, std::vector<Summary>* out) {
    Administration administration(*queue);
    bool more = true;
    while (more) {
      auto listed = co_await administration.list(walk);
      EXPECT_TRUE(listed);
      if (!listed) co_return;
      EXPECT_LE(listed->messages.size(), walk.count);
      EXPECT_TRUE(!listed->step.more || listed->step.last > walk.after);
      out->insert(out->end(), listed->messages.begin(), listed->messages.end());
      walk.after = listed->step.last;
      walk.until = listed->step.until;
      more = listed->step.more;
    }
  }
  io::Task<> show_task(Box box, MessageId id, std::shared_ptr<const QueuedMessage>* out) {
    auto shown = co_await Administration(*queue).show(box, id);
    if (shown) *out = *std::move(shown);
  }
  io::Task<> act_task(Command command, Walk walk, Result<Acted>* out) {
    *out = co_await Administration(*queue).act(command, std::move(walk));
  }
  io::Task<> lease_all_task(MessageId id, Result<Lease>* out) {
    *out = co_await Administration(*queue).lease_all(id);
  }
  io::Task<> export_task(Box box, MessageId id, Result<std::string>* out) {
    *out = co_await export_steps(box, id);
  }
  io::Task<Result<std::string>> export_steps(Box box, MessageId id) {
    Administration administration(*queue);
    std::string all;
    while (true) {
      CO_TRY(const ContentPart part, co_await administration.content(box, id, all.size()));
      EXPECT_LE(part.bytes.size(), content_part_bytes_max);
      if (part.bytes.empty()) co_return all;
      all += part.bytes;
    }
  }

  io::SimWorld sim{1};
  io::SimHost& host = sim.add_host("gw", *IpAddress::parse("192.0.2.10"));
  MemoryStore store;
  RememberingLog log;
  QueueOptions options;
  std::unique_ptr<Queue> queue;
  std::vector<std::string> told;  ///< destinations that on_due told of
};

}  // namespace postern::queue
