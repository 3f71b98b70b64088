#include "app/queue_commands.h"

#include <cstdio>
#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "admin/control_client.h"
#include "app/configuration.h"
#include "base/text.h"
#include "io/real/shard.h"

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
  Conversation(const io::World& world, std::string socket, const Arguments& arguments)
      : world_(world), socket_(std::move(socket)), arguments_(arguments) {}

  io::Task<> run(Request request) {
    auto connected = co_await admin::ControlClient::connect(world_.network, socket_,
                                                            world_.clock.in(call_time_max));
    if (!connected) {
      not_connected(connected.error());
      co_return;
    }
    client_ = std::move(*connected);
    if (request.verb == Verb::queue_list)
      co_await list(request);
    else if (request.verb == Verb::queue_show)
      co_await show(request);
    else
      co_await change(request);
  }

  [[nodiscard]] ExitCode exit_code() const { return exit_code_; }

 private:
  void not_connected(const Error& error) {
    if (error.cause == Cause::no_permission) {
      fmt::print(stderr,
                 "The control socket {} is another user's: run this as root or as the "
                 "server's user.\n",
                 printable(socket_));
      exit_code_ = ExitCode::failed;
      return;
    }
    fmt::print(stderr,
               "No server answers at {} ({}). Start it with `postern run`, or give the "
               "configuration that it runs with by --config FILE.\n",
               printable(socket_), printable(error.what));
    exit_code_ = ExitCode::not_running;
  }

  void failed(const Error& error) {
    fmt::print(stderr, "{}\n", printable(error.what, 2000));
    exit_code_ = ExitCode::failed;
  }

  io::Task<Result<object>> call(Request request) {
    co_return co_await client_->call(request, world_.clock.in(call_time_max));
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

  /// Page by page, so that a queue of any length costs little memory on both sides.
  io::Task<> list(Request request) {
    request.count = admin::list_count_max;
    std::uint64_t count = 0;
    if (arguments_.json) fmt::print("{{\"messages\":[");
    bool more = true;
    while (more) {
      const auto reply = co_await call(request);
      if (!reply) {
        failed(reply.error());
        co_return;
      }
      const boost::json::array& messages = array_of(*reply, "messages");
      for (const auto& message : messages) print_listed(message.as_object(), count++);
      more = has_more(*reply) && !messages.empty();
      if (!more) break;
      const auto id = queue::MessageId::parse(messages.back().at("id").as_string());
      if (!id) break;
      request.after = *id;
    }
    if (arguments_.json)
      fmt::print("]}}\n");
    else
      fmt::print("{} message{} in the queue\n", count, count == 1 ? "" : "s");
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

  io::Task<> change(Request request) {
    const auto reply = co_await call(request);
    if (!reply) {
      failed(reply.error());
      co_return;
    }
    if (arguments_.json) {
      fmt::print("{}\n", boost::json::serialize(*reply));
      co_return;
    }
    if (request.verb == Verb::queue_flush) {
      const auto* messages = reply->if_contains("messages");
      const std::string count = messages == nullptr ? "?" : boost::json::serialize(*messages);
      fmt::print("{} message{} tried again now\n", count, count == "1" ? " is" : "s are");
    } else {
      fmt::print("{} {}\n", request.id.text(),
                 request.verb == Verb::queue_retry ? "is tried again now" : "is removed");
    }
  }

  io::World world_;
  std::string socket_;
  const Arguments& arguments_;
  std::unique_ptr<admin::ControlClient> client_;
  ExitCode exit_code_ = ExitCode::ok;
};

ExitCode converse(const Arguments& arguments, Request request) {
  const ReadConfiguration read = load_configuration(arguments.config);
  if (has_errors(read.diagnostics)) {
    for (const Diagnostic& diagnostic : read.diagnostics)
      fmt::print(stderr, "{}\n", diagnostic.text());
    return ExitCode::failed;
  }
  auto shard = io::RealShard::create({.directory = "/"});
  if (!shard) {
    fmt::print(stderr, "{}\n", printable(shard.error().what, 2000));
    return ExitCode::failed;
  }
  Conversation conversation((*shard)->world(), read.configuration.server.control_socket, arguments);
  if (!(*shard)->run_task(conversation.run(request), command_time_max)) {
    fmt::print(stderr, "The server did not answer in {}.\n", format_duration(command_time_max));
    return ExitCode::failed;
  }
  return conversation.exit_code();
}

ExitCode converse_about(const Arguments& arguments, Verb verb) {
  const auto id = queue::MessageId::parse(arguments.id);
  if (!id) {
    fmt::print(stderr, "\"{}\" is not a message id; `postern queue list` shows them.\n",
               printable(arguments.id, 40));
    return ExitCode::wrong_usage;
  }
  return converse(arguments, {.verb = verb, .id = *id});
}

}  // namespace

ExitCode queue_list(const Arguments& arguments) {
  return converse(arguments, {.verb = Verb::queue_list});
}
ExitCode queue_show(const Arguments& arguments) {
  return converse_about(arguments, Verb::queue_show);
}
ExitCode queue_retry(const Arguments& arguments) {
  return converse_about(arguments, Verb::queue_retry);
}
ExitCode queue_remove(const Arguments& arguments) {
  return converse_about(arguments, Verb::queue_remove);
}
ExitCode queue_flush(const Arguments& arguments) {
  return converse(arguments, {.verb = Verb::queue_flush});
}

}  // namespace postern::app
