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
  if (changes_messages(request->verb) || request->verb == Verb::reload)
    log_.line(Severity::info, "control", {{"verb", verb_name(request->verb)}});
  co_return co_await execute(*request);
}

io::Task<boost::json::object> ControlServer::execute(Request request) {
  switch (request.verb) {
    case Verb::status:
      co_return status_reply(commands_.status(), world_.clock.wall_now());
    case Verb::metrics:
      co_return metrics_reply(commands_.metrics(), commands_.refusals(), world_.clock.wall_now());
    case Verb::queue_list: {
      const auto listed = co_await commands_.list(std::move(request.walk));
      co_return listed ? list_reply(*listed) : error_reply(listed.error());
    }
    case Verb::queue_show: {
      const auto message = co_await commands_.show(request.walk.box, request.id);
      co_return message ? show_reply(**message, request.recipients_from)
                        : error_reply(message.error());
    }
    case Verb::queue_content: {
      const auto part = co_await commands_.content(request.walk.box, request.id, request.offset);
      co_return part ? content_reply(*part) : error_reply(part.error());
    }
    case Verb::reload: {
      const auto done = commands_.reload();
      co_return done ? ok_reply() : error_reply(done.error());
    }
    case Verb::queue_flush:
    case Verb::queue_retry:
      co_return co_await act(queue::Command::retry, std::move(request));
    case Verb::queue_hold:
      co_return co_await act(queue::Command::hold, std::move(request));
    case Verb::queue_release:
      co_return co_await act(queue::Command::release, std::move(request));
    case Verb::queue_remove:
    case Verb::queue_bounce:
      break;
  }
  co_return co_await act(queue::Command::remove, std::move(request));
}

io::Task<boost::json::object> ControlServer::act(queue::Command command, Request request) {
  const bool named_one = request.walk.ids.size() == 1;
  Result<queue::Acted> acted;
  if (request.verb == Verb::queue_bounce)
    acted = co_await commands_.bounce(std::move(request.walk), std::move(request.reason));
  else
    acted = co_await commands_.act(command, std::move(request.walk));
  if (!acted) co_return error_reply(acted.error());
  if (named_one && acted->changed == 0) co_return error_reply(refusal(*acted));
  co_return act_reply(*acted);
}

}  // namespace postern::admin
