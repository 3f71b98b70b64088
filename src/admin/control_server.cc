#include "admin/control_server.h"

#include <algorithm>
#include <fmt/format.h>

#include "admin/line_reader.h"

namespace postern::admin {
namespace {

/// After a failed accept, such as for want of descriptors.
constexpr Duration accept_pause = std::chrono::seconds(1);

}  // namespace

ControlServer::ControlServer(const io::World& world, Log& log, Commands& commands,
                             ControlOptions options)
    : world_(world),
      log_(log),
      commands_(commands),
      options_(std::move(options)),
      tasks_(world.executor, world.clock, options_.connections_max + 1) {}

ControlServer::~ControlServer() = default;

Result<> ControlServer::start() {
  TRY(listener_, world_.network.listen_local(options_.path));
  tasks_.spawn("control accept", accept_loop());
  return {};
}

io::Task<> ControlServer::stop() {
  if (listener_) listener_->close();
  for (io::Stream* stream : streams_) stream->close();
  co_await tasks_.join();
}

io::Task<> ControlServer::accept_loop() {
  while (true) {
    auto accepted = co_await listener_->accept();
    if (!accepted && accepted.error().cause == Cause::cancelled) co_return;
    if (!accepted) {
      log_.line(Severity::warning, "control_accept_failed", {{"error", accepted.error().what}});
      co_await world_.clock.sleep_for(accept_pause);
      continue;
    }
    // Dropping the stream closes it: the caller sees the end instead of a reply.
    if (tasks_.full() || !tasks_.spawn("control connection", serve(std::move(*accepted))))
      log_.line(Severity::warning, "control_refused",
                {{"connections_max", std::uint64_t{options_.connections_max}}});
  }
}

io::Task<> ControlServer::serve(std::unique_ptr<io::Stream> stream) {
  streams_.insert(stream.get());
  co_await converse(*stream);
  streams_.erase(stream.get());
}

io::Task<> ControlServer::converse(io::Stream& stream) {
  LineReader lines(stream, request_bytes_max);
  while (true) {
    auto line = co_await lines.next(world_.clock.in(options_.request_deadline));
    const bool too_long = !line && line.error().cause == Cause::limit;
    if (!line && !too_long) co_return;
    boost::json::object object;
    if (too_long)
      object = error_reply(line.error());
    else
      object = co_await answer(std::move(*line));
    const std::string reply = format_reply(object) + "\n";
    const auto written =
        co_await stream.write_all(reply, world_.clock.in(options_.request_deadline));
    if (!written || too_long) co_return;
  }
}

io::Task<boost::json::object> ControlServer::answer(std::string line) {
  const auto request = parse_request(line);
  if (!request) co_return error_reply(request.error());
  if (request->verb != Verb::queue_list && request->verb != Verb::queue_show &&
      request->verb != Verb::status)
    log_.line(Severity::info, "control", {{"verb", verb_name(request->verb)}});
  co_return co_await execute(*request);
}

io::Task<boost::json::object> ControlServer::execute(Request request) {
  Result<> done;
  switch (request.verb) {
    case Verb::status:
      co_return status_reply(commands_.status(), world_.clock.wall_now());
    case Verb::queue_list:
      co_return co_await list(request);
    case Verb::queue_show: {
      auto message = co_await commands_.show(request.id);
      if (!message) co_return error_reply(message.error());
      co_return show_reply(**message, request.recipients_from);
    }
    case Verb::queue_flush: {
      boost::json::object reply = ok_reply();
      reply["messages"] = commands_.flush();
      co_return reply;
    }
    case Verb::queue_retry:
      done = commands_.retry(request.id);
      break;
    case Verb::queue_remove:
      done = co_await commands_.remove(request.id);
      break;
    case Verb::reload:
      done = commands_.reload();
      break;
  }
  if (!done) co_return error_reply(done.error());
  co_return ok_reply();
}

io::Task<boost::json::object> ControlServer::list(Request request) {
  // One more than asked for tells whether there are more.
  const std::size_t count = std::clamp<std::size_t>(request.count, 1, list_count_max);
  auto messages = co_await commands_.list(request.after, count + 1);
  if (!messages) co_return error_reply(messages.error());
  const bool more = messages->size() > count;
  if (more) messages->resize(count);
  co_return list_reply(*messages, more);
}

}  // namespace postern::admin
