#include "app/queue_commands.h"

#include <algorithm>
#include <cstdio>
#include <fmt/format.h>
#include <fstream>
#include <iostream>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "app/server_talk.h"
#include "base/text.h"
#include "queue/record.h"

namespace postern::app {
namespace {

using admin::Request;
using admin::Verb;
using boost::json::object;

constexpr Duration call_time_max = std::chrono::seconds(30);
constexpr Duration command_time_max = std::chrono::minutes(10);  ///< a long list has many calls

/// One command's talk with the server.
class Conversation {
 public:
  /// `done`: what a change does to a message, "removed".
  Conversation(admin::ControlClient& server, const io::World& world, const Arguments& arguments,
               std::string done)
      : server_(server), world_(world), arguments_(arguments), done_(std::move(done)) {}

  io::Task<ExitCode> run(Request request) {
    if (request.verb == Verb::queue_list)
      co_await list(std::move(request), " in the queue");
    else if (request.verb == Verb::queue_show)
      co_await show(std::move(request));
    else if (request.verb == Verb::queue_content)
      co_await write_content(std::move(request));
    else if (arguments_.queue.dry_run)
      co_await list(std::move(request), " would be " + done_);
    else
      co_await change(std::move(request));
    co_return exit_code_;
  }

 private:
  void failed(const Error& error) {
    fmt::print(stderr, "{}\n", printable(error.what, 2000));
    exit_code_ = ExitCode::failed;
  }

  io::Task<Result<object>> call(Request request) {
    co_return co_await server_.call(request, world_.clock.in(call_time_max));
  }

  static const boost::json::array& array_of(const object& reply, std::string_view key) {
    static const boost::json::array nothing;
    const auto* value = reply.if_contains(key);
    return value != nullptr && value->is_array() ? value->get_array() : nothing;
  }
  static bool has_more(const object& reply) {
    const auto* more = reply.if_contains("more");
    return more != nullptr && more->is_bool() && more->get_bool();
  }

  /// Step by step, so that a queue of any length costs little memory on both sides and the server
  /// goes on in between. `each` sees every reply.
  template <typename Each>
  io::Task<bool> walk(Request request, Each& each) {
    const std::vector<queue::MessageId> ids = std::exchange(request.walk.ids, {});
    request.walk.count = queue::walk_count_max;
    std::size_t at = 0;
    do {
      const std::size_t count = std::min(queue::walk_count_max, ids.size() - at);
      const auto from = ids.begin() + static_cast<std::ptrdiff_t>(at);
      request.walk.ids.assign(from, from + static_cast<std::ptrdiff_t>(count));
      at += count;
      bool more = true;
      while (more) {
        const auto reply = co_await call(request);
        if (!reply) {
          failed(reply.error());
          co_return false;
        }
        each.see(*reply);
        const auto after = id_of(*reply, "after");
        const auto until = id_of(*reply, "until");
        more = has_more(*reply) && after && until && *after > request.walk.after;
        if (more) {
          request.walk.after = *after;
          request.walk.until = *until;
        }
      }
    } while (at < ids.size());
    co_return true;
  }

  static std::optional<queue::MessageId> id_of(const object& reply, std::string_view key) {
    const auto* value = reply.if_contains(key);
    if (value == nullptr || !value->is_string()) return std::nullopt;
    return queue::MessageId::parse(std::string_view(value->get_string()));
  }

  struct Rows {
    void see(const object& reply) {
      for (const auto& message : array_of(reply, "messages"))
        conversation.print_listed(message.as_object(), count++);
      sum.add(reply);
    }
    Conversation& conversation;
    std::uint64_t count = 0;
    ChangeSum sum;
  };

  io::Task<> list(Request request, std::string ending) {
    request.verb = Verb::queue_list;
    request.reason.clear();
    request.all = false;
    if (request.walk.box == queue::Box::dead && ending.starts_with(" in"))
      ending = " among the dead letters";
    Rows rows{.conversation = *this, .count = 0, .sum = {}};
    if (arguments_.json) fmt::print("{{\"messages\":[");
    if (!co_await walk(std::move(request), rows)) co_return;
    if (arguments_.json)
      fmt::print("]}}\n");
    else
      fmt::print("{} message{}{}\n", rows.count, rows.count == 1 ? "" : "s", ending);
    if (rows.sum.missing.empty()) co_return;
    for (const std::string& id : rows.sum.missing)
      fmt::print(stderr, "no message {}\n", printable(id));
    exit_code_ = ExitCode::failed;
  }

  void print_listed(const object& message, std::uint64_t index) const {
    if (arguments_.json) {
      fmt::print("{}{}", index == 0 ? "" : ",\n", boost::json::serialize(message));
      return;
    }
    if (index == 0) fmt::print("{}", queue_table_head());
    fmt::print("{}", queue_table_row(message, world_.clock.wall_now()));
  }

  io::Task<> show(Request request) {
    auto whole = co_await call(request);
    if (!whole) {
      failed(whole.error());
      co_return;
    }
    bool more = has_more(*whole);
    while (more) {
      request.recipients_from = array_of(*whole, "recipients").size();
      const auto reply = co_await call(request);
      if (!reply) {
        failed(reply.error());
        co_return;
      }
      for (const auto& recipient : array_of(*reply, "recipients"))
        whole->at("recipients").as_array().push_back(recipient);
      more = has_more(*reply) && !array_of(*reply, "recipients").empty();
    }
    for (const char* key : {"ok", "more", "recipients_from"}) whole->erase(key);
    if (arguments_.json)
      fmt::print("{}\n", boost::json::serialize(*whole));
    else
      fmt::print("{}", queue_message_text(*whole, world_.clock.wall_now()));
  }

  struct Sum {
    void see(const object& reply) { sum.add(reply); }
    ChangeSum sum;
  };

  io::Task<> change(Request request) {
    Sum seen;
    const bool whole = co_await walk(std::move(request), seen);
    // What was done until an error is told too.
    if (whole || seen.sum.changed > 0) {
      if (arguments_.json)
        fmt::print("{}\n", boost::json::serialize(seen.sum.json()));
      else
        fmt::print("{}", seen.sum.text(done_));
    }
    if (seen.sum.incomplete()) exit_code_ = ExitCode::failed;
  }

  io::Task<> write_content(Request request) {
    std::ofstream file;
    if (!arguments_.queue.output.empty()) {
      file.open(arguments_.queue.output, std::ios::binary | std::ios::trunc);
      if (!file) {
        fmt::print(stderr, "cannot write {}\n", printable(arguments_.queue.output, 1000));
        exit_code_ = ExitCode::failed;
        co_return;
      }
    }
    std::ostream& out = arguments_.queue.output.empty() ? std::cout : file;
    std::uint32_t crc = 0;
    while (true) {
      const auto reply = co_await call(request);
      if (!reply) {
        failed(reply.error());
        co_return;
      }
      const auto* text = reply->if_contains("content");
      const auto bytes = text != nullptr && text->is_string()
                             ? admin::decode_base64(std::string_view(text->get_string()))
                             : std::nullopt;
      if (!bytes || !out.write(bytes->data(), static_cast<std::streamsize>(bytes->size()))) {
        fmt::print(stderr, "{}\n", bytes ? "writing failed" : "the reply is not understood");
        exit_code_ = ExitCode::failed;
        co_return;
      }
      crc = queue::crc32_of(*bytes, crc);
      request.offset += bytes->size();
      if (!bytes->empty()) continue;
      check_content(*reply, request.offset, crc);
      if (!out.flush()) exit_code_ = ExitCode::failed;
      co_return;
    }
  }

  void check_content(const object& last, std::uint64_t bytes, std::uint32_t crc) {
    const auto* size = last.if_contains("bytes");
    const auto* expected = last.if_contains("crc32");
    if (size == nullptr || expected == nullptr) return;
    if (size->to_number<std::uint64_t>() == bytes && expected->to_number<std::uint32_t>() == crc)
      return;
    fmt::print(stderr, "The content is damaged: it is written as it is on disk.\n");
    exit_code_ = ExitCode::failed;
  }

  admin::ControlClient& server_;
  io::World world_;
  const Arguments& arguments_;
  std::string done_;
  ExitCode exit_code_ = ExitCode::ok;
};

io::Task<ExitCode> converse_task(admin::ControlClient& server, const io::World& world,
                                 const Arguments& arguments, Request request, std::string done) {
  Conversation conversation(server, world, arguments, std::move(done));
  co_return co_await conversation.run(std::move(request));
}

ExitCode converse(const Arguments& arguments, Request request, std::string done = {}) {
  return talk_to_server(
      arguments.config,
      [&](admin::ControlClient& server, const io::World& world) {
        return converse_task(server, world, arguments, std::move(request), std::move(done));
      },
      command_time_max);
}

ExitCode converse_about(const Arguments& arguments, Request request) {
  const auto id = queue::MessageId::parse(arguments.id);
  if (!id) {
    fmt::print(stderr, "\"{}\" is not a message id; `postern queue list` shows them.\n",
               printable(arguments.id, 40));
    return ExitCode::wrong_usage;
  }
  request.id = *id;
  return converse(arguments, std::move(request));
}

bool read_age(const char* option, const std::string& text, std::optional<Duration>& age) {
  if (text.empty()) return true;
  age = parse_duration(text);
  if (!age)
    fmt::print(stderr, "{}: \"{}\" is not a time; write for example 30m, 4h or 2d.\n", option,
               printable(text, 40));
  return age.has_value();
}

/// What the words select; nullopt when they are wrong, which was told.
std::optional<queue::Walk> read_walk(const Arguments& arguments, queue::Box box) {
  const Arguments::Queue& words = arguments.queue;
  queue::Walk walk;
  walk.box = box;
  for (const std::string& text : words.ids) {
    const auto id = queue::MessageId::parse(text);
    if (id) {
      walk.ids.push_back(*id);
      continue;
    }
    fmt::print(stderr, "\"{}\" is not a message id; `postern queue list` shows them.\n",
               printable(text, 40));
    return std::nullopt;
  }
  std::ranges::sort(walk.ids);
  walk.selection.sender = words.sender;
  walk.selection.recipient = words.recipient;
  walk.selection.destination = words.destination;
  walk.selection.held = words.held;
  if (!read_age("--older-than", words.older_than, walk.selection.older_than) ||
      !read_age("--younger-than", words.younger_than, walk.selection.younger_than))
    return std::nullopt;
  return walk;
}

ExitCode list_box(const Arguments& arguments, queue::Box box) {
  const auto walk = read_walk(arguments, box);
  if (!walk) return ExitCode::wrong_usage;
  return converse(arguments, {.verb = Verb::queue_list, .walk = *walk});
}

ExitCode change(const Arguments& arguments, Verb verb, queue::Box box, std::string done) {
  const auto walk = read_walk(arguments, box);
  if (!walk) return ExitCode::wrong_usage;
  const bool selected = !walk->ids.empty() || !walk->selection.empty();
  if (selected == arguments.queue.all) {
    fmt::print(stderr, "{}\n",
               selected ? "--all means every message: leave it, or the rest, out."
                        : "Which messages? Give ids, or options that select them (--help), or "
                          "--all for every message.");
    return ExitCode::wrong_usage;
  }
  if (arguments.queue.reason.size() > admin::reason_bytes_max) {
    fmt::print(stderr, "--reason: at most {} bytes.\n", admin::reason_bytes_max);
    return ExitCode::wrong_usage;
  }
  Request request{.verb = verb, .walk = *walk, .all = arguments.queue.all};
  request.reason = arguments.queue.reason;
  return converse(arguments, std::move(request), std::move(done));
}

}  // namespace

ExitCode queue_list(const Arguments& arguments) {
  return list_box(arguments, queue::Box::queue);
}
ExitCode queue_dead_list(const Arguments& arguments) {
  return list_box(arguments, queue::Box::dead);
}
ExitCode queue_show(const Arguments& arguments) {
  return converse_about(arguments, {.verb = Verb::queue_show});
}
ExitCode queue_dead_show(const Arguments& arguments) {
  return converse_about(arguments, {.verb = Verb::queue_show, .walk = {.box = queue::Box::dead}});
}
ExitCode queue_export(const Arguments& arguments) {
  return converse_about(arguments, {.verb = Verb::queue_content});
}
ExitCode queue_dead_export(const Arguments& arguments) {
  return converse_about(arguments,
                        {.verb = Verb::queue_content, .walk = {.box = queue::Box::dead}});
}
ExitCode queue_retry(const Arguments& arguments) {
  return change(arguments, Verb::queue_retry, queue::Box::queue, "tried again now");
}
ExitCode queue_flush(const Arguments& arguments) {
  return converse(arguments, {.verb = Verb::queue_flush, .all = true}, "tried again now");
}
ExitCode queue_hold(const Arguments& arguments) {
  return change(arguments, Verb::queue_hold, queue::Box::queue, "held");
}
ExitCode queue_release(const Arguments& arguments) {
  return change(arguments, Verb::queue_release, queue::Box::queue, "released");
}
ExitCode queue_remove(const Arguments& arguments) {
  return change(arguments, Verb::queue_remove, queue::Box::queue, "removed");
}
ExitCode queue_bounce(const Arguments& arguments) {
  return change(arguments, Verb::queue_bounce, queue::Box::queue, "removed with a report");
}
ExitCode queue_dead_retry(const Arguments& arguments) {
  return change(arguments, Verb::queue_retry, queue::Box::dead, "queued again");
}
ExitCode queue_dead_remove(const Arguments& arguments) {
  return change(arguments, Verb::queue_remove, queue::Box::dead, "removed");
}

}  // namespace postern::app
