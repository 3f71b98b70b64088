#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/json/serialize.hpp>

#include "admin/control_client.h"
#include "admin/control_protocol.h"
#include "admin/control_server.h"
#include "admin/pages.h"
#include "io/real/shard.h"

namespace postern::admin {
namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;

struct BadRequest {
  const char* reason;
  std::string line;
  const char* expected;
};

const std::vector<BadRequest> bad_requests = {
    {"nothing", "", "not JSON"},
    {"another protocol", "GET / HTTP/1.1", "not JSON"},
    {"a list", "[1]", "not a JSON object"},
    {"cut off", R"({"verb":"status")", "not JSON"},
    {"too deep", R"({"verb":[[[[[[[[1]]]]]]]]})", "not JSON"},
    {"no verb", "{}", "no \"verb\""},
    {"verb of another type", R"({"verb":5})", "no \"verb\""},
    {"unknown verb", R"({"verb":"queue.purge"})", "unknown verb \"queue.purge\""},
    {"unknown verb with an escape", "{\"verb\":\"\\u001b\"}", "unknown verb \"\\x1b\""},
    {"unknown member", R"({"verb":"status","colour":1})", "unknown member \"colour\""},
    {"show without an id", R"({"verb":"queue.show"})", "queue.show needs the \"id\""},
    {"id of another type", R"({"verb":"queue.show","id":7})", "\"id\" is not a message id"},
    {"id that is none", R"({"verb":"queue.show","id":"../x"})", "\"id\" is not a message id"},
    {"count negative", R"({"verb":"queue.list","count":-1})", "\"count\" must be a whole number"},
    {"count above the page", R"({"verb":"queue.list","count":501})", "from 0 to 500"},
    {"count huge", R"({"verb":"queue.list","count":1e99})", "\"count\" must be a whole number"},
    {"change without a selection", R"({"verb":"queue.remove"})", "which messages"},
    {"change of all, not quite", R"({"verb":"queue.hold","all":false})", "which messages"},
    {"no ids", R"({"verb":"queue.hold","ids":[]})", "a list of 1 to 500"},
    {"age without a unit", R"({"verb":"queue.list","older_than":"4"})", "such as \"4h\""},
    {"age of another type", R"({"verb":"queue.list","older_than":4})", "such as \"4h\""},
    {"held of another type", R"({"verb":"queue.list","held":"yes"})", "true or false"},
    {"sender of another type", R"({"verb":"queue.list","sender":1})", "must be a string"},
    {"longer than allowed", std::string(request_bytes_max + 1, ' '), "too long"},
};

TEST(ControlProtocol, RefusesMalformedRequests) {
  for (const BadRequest& bad : bad_requests) {
    const auto request = parse_request(bad.line);
    ASSERT_FALSE(request.has_value()) << bad.reason;
    EXPECT_THAT(request.error().what, HasSubstr(bad.expected)) << bad.reason;
  }
}

TEST(ControlProtocol, RequestsSurviveTheWay) {
  queue::Walk selected;
  selected.selection = {.sender = "<>",
                        .recipient = "@x.example",
                        .destination = "x.example",
                        .older_than = std::chrono::hours(28),
                        .younger_than = std::chrono::hours(48),
                        .held = true};
  selected.after = queue::MessageId{41};
  selected.until = queue::MessageId{99};
  selected.count = 17;
  queue::Walk named;
  named.ids = {queue::MessageId{3}, queue::MessageId{7}};
  named.box = queue::Box::dead;
  const std::vector<Request> requests = {
      {.verb = Verb::status},
      {.verb = Verb::metrics},
      {.verb = Verb::queue_list, .walk = selected},
      {.verb = Verb::queue_show, .id = queue::MessageId{~0ULL >> 1}, .recipients_from = 500},
      {.verb = Verb::queue_content, .id = queue::MessageId{7}, .offset = 1ULL << 33},
      {.verb = Verb::queue_retry, .walk = named},
      {.verb = Verb::queue_hold, .walk = selected},
      {.verb = Verb::queue_release, .all = true},
      {.verb = Verb::queue_remove, .walk = named},
      {.verb = Verb::queue_bounce, .walk = selected, .reason = "spam \"run\""},
      {.verb = Verb::queue_flush, .all = true},
      {.verb = Verb::reload},
  };
  for (const Request& request : requests) {
    const auto again = parse_request(format_request(request));
    ASSERT_TRUE(again.has_value()) << again.error().what;
    EXPECT_EQ(*again, request) << format_request(request);
  }
}

TEST(ControlProtocol, RepliesAreOneLineOfJsonWhateverAnAddressHolds) {
  queue::QueuedMessage message;
  message.id = queue::MessageId{7};
  message.envelope.reverse_path = "a\xff\n\"@example.com";
  message.recipients.resize(3);
  message.recipients[0].last_reply = "450 \x1b[31m";
  const std::string line = format_reply(show_reply(message, 0));
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const auto reply = parse_reply(line);
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->at("reverse_path").as_string(), "a\\xff\\x0a\"@example.com");
  EXPECT_EQ(reply->at("recipients").as_array().size(), 3U);
}

TEST(ControlProtocol, ShowsManyRecipientsInPages) {
  queue::QueuedMessage message;
  message.recipients.resize(recipients_shown_max + 2);
  const auto first = show_reply(message, 0);
  EXPECT_EQ(first.at("recipients").as_array().size(), recipients_shown_max);
  EXPECT_TRUE(first.at("more").as_bool());
  const auto last = show_reply(message, recipients_shown_max);
  EXPECT_EQ(last.at("recipients").as_array().size(), 2U);
  EXPECT_FALSE(last.at("more").as_bool());
  EXPECT_EQ(show_reply(message, 1'000'000).at("recipients").as_array().size(), 0U);
}

TEST(ControlProtocol, StatusTellsWhetherMailIsTakenAndWhatIsWrong) {
  Status status;
  EXPECT_TRUE(status_reply(status, WallTime()).at("ready").as_bool());
  status.troubles.push_back({Trouble::Weight::degraded, "look at it"});
  auto reply = status_reply(status, WallTime());
  EXPECT_TRUE(reply.at("ready").as_bool());
  status.troubles.push_back({Trouble::Weight::not_ready, "full"});
  reply = status_reply(status, WallTime());
  EXPECT_FALSE(reply.at("ready").as_bool());
  EXPECT_EQ(boost::json::serialize(reply.at("troubles")),
            R"([{"weight":"degraded","what":"look at it"},{"weight":"not_ready","what":"full"}])");
}

TEST(ControlProtocol, MetricsHaveBucketsAndLabels) {
  LatencyHistogram histogram;
  histogram.observe(2s);
  const std::vector<MetricFamily> families = {
      {"a_total", MetricType::counter, "A.", {{{{"class", "2xx"}}, 12.0}}},
      {"b_seconds", MetricType::histogram, "B.", {{{}, histogram.view()}}}};
  const auto reply =
      metrics_reply(families, {.window = 5min, .clients = {}, .causes = {{"busy", 4}}}, WallTime());
  const auto& metrics = reply.at("metrics").as_array();
  EXPECT_EQ(boost::json::serialize(metrics.at(0)),
            R"({"name":"a_total","type":"counter","samples":[{"labels":{"class":"2xx"},)"
            R"("value":12}]})");
  EXPECT_EQ(metrics.at(1).at("bounds").as_array().size(), latency_bounds.size());
  const auto& sample = metrics.at(1).at("samples").at(0);
  EXPECT_EQ(sample.at("buckets").as_array().size(), latency_bounds.size() + 1);
  EXPECT_EQ(sample.at("sum").as_int64(), 2);
  EXPECT_EQ(boost::json::serialize(reply.at("refusals")),
            R"({"window_seconds":300,"clients":[],"causes":[{"cause":"busy","count":4}]})");
}

TEST(ControlProtocol, Base64) {
  // RFC 4648 section 10: its test vectors.
  const std::vector<std::pair<std::string, std::string>> vectors = {
      {"", ""},
      {"f", "Zg=="},
      {"fo", "Zm8="},
      {"foo", "Zm9v"},
      {"foob", "Zm9vYg=="},
      {"fooba", "Zm9vYmE="},
      {"foobar", "Zm9vYmFy"},
      {std::string("\0\xff\xfe", 3), "AP/+"}};
  for (const auto& [bytes, text] : vectors) {
    EXPECT_EQ(encode_base64(bytes), text);
    EXPECT_EQ(decode_base64(text), bytes);
  }
  for (const char* wrong : {"Zg=", "Z===", "Zm9v Zg=", "Zm9*"})
    EXPECT_FALSE(decode_base64(wrong)) << wrong;
}

TEST(ControlProtocol, RepliesThatAreNotUnderstood) {
  for (const char* line : {"", "x", "[]", "{}", R"({"ok":1})", R"({"ok":true} x)"}) {
    const auto reply = parse_reply(line);
    ASSERT_FALSE(reply.has_value()) << line;
    EXPECT_EQ(reply.error().cause, Cause::damaged) << line;
  }
  const auto refused = parse_reply(
      format_reply(error_reply({Persistence::permanent, Blame::us, Cause::in_use, "busy"})));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().cause, Cause::in_use);
  EXPECT_EQ(refused.error().what, "busy");
}

/// A queue of `messages` messages with ids from 1 on.
class FakeCommands final : public Commands {
 public:
  Status status() override {
    Status status;
    status.hostname = "gw.example.com";
    status.listening = {"127.0.0.1:25"};
    status.troubles = troubles;
    return status;
  }
  std::vector<MetricFamily> metrics() override {
    return {{"postern_replies_total",
             MetricType::counter,
             "Replies.",
             {{{{"class", "2xx"}}, 12.0}, {{{"class", "5xx"}}, 0.0}}},
            {"postern_wait_seconds", MetricType::histogram, "Wait.", {{{}, waits.view()}}}};
  }
  Refusals refusals() override {
    return {.window = 5min,
            .clients = {{*IpAddress::parse("192.0.2.7"), "no_ptr", 3}},
            .causes = {{"no_ptr", 4}}};
  }
  io::Task<Result<queue::Listed>> list(queue::Walk walk) override {
    queue::Listed out;
    for (auto id = walk.after.value + 1; id <= messages && out.messages.size() < walk.count; ++id)
      out.messages.emplace_back().id = queue::MessageId{id};
    if (!out.messages.empty()) out.step.last = out.messages.back().id;
    out.step.more = out.step.last.value < messages;
    co_return out;
  }
  io::Task<Result<std::shared_ptr<const queue::QueuedMessage>>> show(queue::Box,
                                                                     queue::MessageId id) override {
    if (id.value > messages) co_return our_failure(Cause::not_found, "no such message");
    auto message = std::make_shared<queue::QueuedMessage>();
    message->id = id;
    co_return message;
  }
  io::Task<Result<queue::ContentPart>> content(queue::Box box, queue::MessageId,
                                               std::uint64_t offset) override {
    EXPECT_EQ(box, queue::Box::dead);
    co_return queue::ContentPart{
        .bytes = "content\r\n" + std::to_string(offset), .content_bytes = 9, .content_crc = 77};
  }
  io::Task<Result<queue::Acted>> act(queue::Command command, queue::Walk walk) override {
    acts.emplace_back(command, walk);
    queue::Acted out;
    if (command == queue::Command::remove)
      out.unchanged.push_back({.id = walk.ids.at(0), .why = queue::Left::in_delivery});
    else if (command == queue::Command::hold)
      out.step.missing = walk.ids;
    else
      out.changed = out.chosen = 3;
    co_return out;
  }
  io::Task<Result<queue::Acted>> bounce(queue::Walk walk, std::string reason) override {
    reasons.push_back(std::move(reason));
    queue::Acted out;
    out.unchanged.push_back({.id = walk.ids.at(0), .why = queue::Left::no_sender});
    co_return out;
  }
  Result<> reload() override {
    return operator_failure(Cause::other, "p.toml:1:1: mode: unknown key");
  }

  std::vector<Trouble> troubles;
  LatencyHistogram waits;
  std::uint64_t messages = 3;
  std::vector<std::pair<queue::Command, queue::Walk>> acts;
  std::vector<std::string> reasons;
};

class ControlTest : public testing::Test {
 protected:
  ControlTest() {
    std::filesystem::create_directories(directory_);
    auto shard = io::RealShard::create({.directory = directory_});
    EXPECT_TRUE(shard.has_value());
    shard_ = std::move(*shard);
  }
  ~ControlTest() override {
    shard_.reset();
    std::filesystem::remove_all(directory_);
  }
  [[nodiscard]] io::Deadline soon() { return shard_->world().clock.in(10s); }
  void serve(io::Task<> client) {
    options_.path = directory_ + "/control.sock";
    server_.emplace(shard_->world(), log_, commands_, options_);
    const auto started = server_->start();
    ASSERT_TRUE(started.has_value()) << started.error().what;
    ASSERT_TRUE(shard_->run_task(std::move(client), 20s));
    ASSERT_TRUE(shard_->run_task(server_->stop(), 20s));
    server_.reset();
  }
  io::Task<Result<boost::json::object>> ask(Request request) {
    auto client = co_await ControlClient::connect(shard_->world().network, options_.path, soon());
    if (!client) co_return fail(client.error());
    co_return co_await (*client)->call(request, soon());
  }
  /// What the server says to `bytes`, until it closes or a line has come.
  io::Task<std::string> say(std::string bytes) {
    auto stream = co_await shard_->world().network.connect_local(options_.path, soon());
    EXPECT_TRUE(stream.has_value());
    if (!stream) co_return "";
    const auto written = co_await (*stream)->write_all(bytes, soon());
    LineReader lines(**stream, reply_bytes_max);
    auto line = co_await lines.next(soon());
    co_return line ? *line : line.error().what;
  }

  std::string directory_ = testing::TempDir() + "postern_control_" + std::to_string(getpid());
  NoLog log_;
  FakeCommands commands_;
  ControlOptions options_;
  std::unique_ptr<io::RealShard> shard_;
  std::optional<ControlServer> server_;

 public:
  io::Task<> every_verb() {
    auto reply = co_await ask({.verb = Verb::status});
    EXPECT_EQ(reply.value().at("hostname").as_string(), "gw.example.com");
    EXPECT_TRUE(reply.value().at("ready").as_bool());
    reply = co_await ask({.verb = Verb::metrics});
    EXPECT_EQ(reply.value().at("refusals").at("clients").at(0).at("client").as_string(),
              "192.0.2.7");
    reply = co_await ask({.verb = Verb::queue_show, .id = queue::MessageId{2}});
    EXPECT_EQ(reply.value().at("id").as_string(), queue::MessageId{2}.text());
    reply = co_await ask({.verb = Verb::queue_show, .id = queue::MessageId{9}});
    EXPECT_EQ(reply.error().cause, Cause::not_found);
    reply = co_await ask({.verb = Verb::queue_content,
                          .id = queue::MessageId{2},
                          .walk = {.box = queue::Box::dead},
                          .offset = 12});
    EXPECT_EQ(decode_base64(std::string_view(reply.value().at("content").as_string())),
              "content\r\n12");
    queue::Walk walk;
    walk.ids = {queue::MessageId{2}};
    reply = co_await ask({.verb = Verb::queue_retry, .walk = walk});
    EXPECT_EQ(reply.value().at("changed").as_int64(), 3);
    EXPECT_EQ(commands_.acts.at(0).first, queue::Command::retry);
    EXPECT_EQ(commands_.acts.at(0).second.ids, walk.ids);
    reply = co_await ask({.verb = Verb::queue_remove, .walk = walk});
    EXPECT_EQ(reply.error().cause, Cause::in_use);
    reply = co_await ask({.verb = Verb::queue_hold, .walk = walk});
    EXPECT_EQ(reply.error().cause, Cause::not_found);
    reply = co_await ask({.verb = Verb::queue_bounce, .walk = walk, .reason = "spam"});
    EXPECT_EQ(reply.error().cause, Cause::refused);
    EXPECT_THAT(commands_.reasons, testing::ElementsAre("spam"));
    reply = co_await ask({.verb = Verb::queue_flush});
    EXPECT_EQ(reply.value().at("changed").as_int64(), 3);
    EXPECT_TRUE(reply.value().at("unchanged").as_array().empty());
    reply = co_await ask({.verb = Verb::reload});
    EXPECT_THAT(reply.error().what, HasSubstr("p.toml:1:1"));
    struct stat socket{};
    EXPECT_EQ(stat(options_.path.c_str(), &socket), 0);
    EXPECT_EQ(socket.st_mode & 0777, 0600U);
  }
  io::Task<> pages() {
    commands_.messages = 25;
    auto client = co_await ControlClient::connect(shard_->world().network, options_.path, soon());
    Request request{.verb = Verb::queue_list};
    request.walk.count = 10;
    std::size_t seen = 0;
    for (const bool more : {true, true, false}) {
      const auto reply = co_await client.value()->call(request, soon());
      const auto& messages = reply.value().at("messages").as_array();
      seen += messages.size();
      EXPECT_EQ(reply->at("more").as_bool(), more);
      request.walk.after = *queue::MessageId::parse(messages.back().at("id").as_string());
    }
    EXPECT_EQ(seen, 25U);
  }
  io::Task<> malformed() {
    EXPECT_THAT(co_await say("nonsense\n"), HasSubstr("\"ok\":false"));
    EXPECT_THAT(co_await say(std::string(request_bytes_max + 10, 'x')),
                HasSubstr("a line is longer than 65536 bytes"));
  }
  io::Task<> idle_connection_ends() {
    auto idle = co_await shard_->world().network.connect_local(options_.path, soon());
    std::array<char, 1> byte{};
    const auto count = co_await idle.value()->read_some(byte, soon());
    EXPECT_EQ(count.value_or(99), 0U);
  }
  io::Task<> too_many() {
    std::vector<std::unique_ptr<io::Stream>> held;
    for (std::size_t i = 0; i < options_.connections_max; ++i) {
      auto stream = co_await shard_->world().network.connect_local(options_.path, soon());
      held.push_back(std::move(stream.value()));
    }
    const auto refused = co_await ask({.verb = Verb::status});
    EXPECT_FALSE(refused.has_value());
    LineReader lines(*held.front(), reply_bytes_max);
    EXPECT_TRUE((co_await held.front()->write_all("{\"verb\":\"status\"}\n", soon())).has_value());
    EXPECT_THAT((co_await lines.next(soon())).value_or(""), HasSubstr("\"ok\":true"));
    // Closing the server ends those that are still connected.
  }
  io::Task<> nobody_listens() {
    const auto reply = co_await ask({.verb = Verb::status});
    EXPECT_TRUE(reply.error().cause == Cause::not_found || reply.error().cause == Cause::refused);
  }
  io::Task<> second_server() {
    ControlServer second(shard_->world(), log_, commands_, options_);
    const auto started = second.start();
    EXPECT_EQ(started.error().cause, Cause::in_use);
    co_await second.stop();
  }
};

TEST_F(ControlTest, AnswersEveryVerb) {
  serve(every_verb());
}
TEST_F(ControlTest, ListsInPages) {
  serve(pages());
}
TEST_F(ControlTest, AnswersMalformedRequests) {
  serve(malformed());
}
TEST_F(ControlTest, EndsIdleConnections) {
  options_.request_deadline = 50ms;
  serve(idle_connection_ends());
}
TEST_F(ControlTest, BoundsItsConnections) {
  options_.connections_max = 3;
  serve(too_many());
}
TEST_F(ControlTest, TellsThatNoServerRuns) {
  options_.path = directory_ + "/absent.sock";
  ASSERT_TRUE(shard_->run_task(nobody_listens(), 20s));
}
TEST_F(ControlTest, TwoServersCannotShareASocket) {
  serve(second_server());
}

TEST(Pages, AreMetricsAndHealth) {
  FakeCommands commands;
  Pages pages(commands);
  auto reply = pages.page({.path = "/metrics", .accept = ""});
  EXPECT_EQ(reply.status, 200U);
  EXPECT_EQ(reply.content_type, "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_THAT(reply.body, HasSubstr("postern_replies_total{class=\"2xx\"} 12\n"));
  reply = pages.page({.path = "/metrics", .accept = "application/openmetrics-text"});
  EXPECT_THAT(reply.content_type, testing::StartsWith("application/openmetrics-text"));
  EXPECT_THAT(reply.body, testing::EndsWith("# EOF\n"));
  EXPECT_EQ(pages.page({.path = "/", .accept = ""}).status, 404U);
  EXPECT_EQ(pages.page({.path = "/readyz", .accept = ""}).body, "ok\n");
  commands.troubles.push_back({Trouble::Weight::degraded, "look at it"});
  reply = pages.page({.path = "/readyz", .accept = ""});
  EXPECT_EQ(reply.status, 200U) << "mail is taken";
  EXPECT_EQ(reply.body, "ok\n") << "what somebody should look at may name a client";
  commands.troubles.push_back({Trouble::Weight::not_ready, "the disk is full"});
  reply = pages.page({.path = "/readyz", .accept = ""});
  EXPECT_EQ(reply.status, 503U);
  EXPECT_EQ(reply.body, "the disk is full\n");
  EXPECT_EQ(pages.page({.path = "/healthz", .accept = ""}).status, 200U) << "it answers";
}

}  // namespace
}  // namespace postern::admin
