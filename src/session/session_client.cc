// Who the client of a session is, when it is not simply who has connected.

#include "base/networks.h"
#include "net/receive_proxy_header.h"
#include "session/session.h"

namespace postern::session {

smtp::Reply busy_reply(const std::string& hostname, std::string_view why) {
  return {421, {4, 3, 2}, hostname + " " + std::string(why) + ", try again later"};
}

io::Task<> Session::identify() {
  const auto header = co_await net::receive_proxy_header(
      *stream_, world_.clock.in(options_->proxies.header_timeout));
  if (!header) {
    // A proxy that only looks whether the port is open goes without a word.
    if (header.error().cause == Cause::closed)
      ports_.log.line(Severity::debug, "no_proxy_header",
                      {{"proxy", client_.address.text()}, {"what", header.error().what}});
    else if (log_limit_.allows())
      ports_.log.line(Severity::warning, "no_proxy_header",
                      {{"proxy", client_.address.text()},
                       {"what", header.error().what},
                       {"more", log_limit_.take_unlogged()}});
    stream_->close();
    closed_ = true;
    co_return;
  }
  if (header->kind == net::ProxyHeader::Kind::client) {
    via_ = client_.address;
    client_ = header->source;
  }
  began_ = world_.clock.now();
  trust_speaker();
  if (!take_place(client_.address))
    machine_.refuse_session(busy_reply(options_->smtp.hostname, too_many_of_client));
  else if (header->kind == net::ProxyHeader::Kind::local)
    check_ = policy::UnknownIpCheck::skipped("proxy's own connection");
  else
    check_ = ports_.unknown_ip.start(client_.address);
}

void Session::trust_speaker() {
  speaker_ = client_.address;
  machine_.trust({.xclient = any_contains(options_->proxies.xclient, speaker_),
                  .xforward = any_contains(options_->proxies.xforward, speaker_)});
}

bool Session::take_place(const IpAddress& client) {
  if (place_.take(client, options_->sessions_per_client_max)) return true;
  metrics_.count_turned_away(client, world_.clock.now());
  if (log_limit_.allows())
    ports_.log.line(Severity::info, "busy",
                    {{"client", client.text()},
                     {"why", too_many_of_client},
                     {"more", log_limit_.take_unlogged()}});
  return false;
}

io::Task<> Session::name_client(const smtp::ClientAttributes& attributes) {
  ports_.log.line(Severity::info, "client_named",
                  {{"client", attributes.address ? attributes.address->text() : ""},
                   {"name", attributes.name},
                   {"helo", attributes.helo.value_or("")},
                   {"login", attributes.login.value_or("")},
                   {"via", speaker_.text()}});
  sender_.clear();
  if (attributes.address) {
    via_ = speaker_;
    authenticated_ = false;
    client_ = {*attributes.address, attributes.port.value_or(0)};
    if (!take_place(client_.address))
      co_return machine_.answer(busy_reply(options_->smtp.hostname, too_many_of_client));
  }
  if (attributes.login) authenticated_ = !attributes.login->empty();
  began_ = world_.clock.now();
  verdict_after_ = {};
  early_.reset();
  greeting_assumed_ = attributes.helo && !attributes.protocol;
  if (authenticated_)
    check_ = policy::UnknownIpCheck::skipped("authenticated");
  else if (attributes.address || attributes.login)
    check_ = ports_.unknown_ip.start(client_.address);
  auto refusal = co_await refusal_at(policy::AnswerAt::connect);
  // What XCLIENT says of the greeting counts as said: EHLO may not come any more.
  if (!refusal && !attributes.helo.value_or("").empty())
    refusal = co_await refusal_at(policy::AnswerAt::ehlo);
  if (refusal)
    machine_.answer(*refusal);
  else
    machine_.accept();
}

void Session::log_forwarded(std::string_view queue_id) {
  const smtp::ForwardedClient* const forwarded = machine_.forwarded();
  if (forwarded == nullptr) return;
  ports_.log.line(Severity::info, "forwarded",
                  {{"client", client_.address.text()},
                   {"id", queue_id},
                   {"sender", sender_},
                   {"orig_client", forwarded->address},
                   {"orig_name", forwarded->name},
                   {"orig_port", forwarded->port},
                   {"orig_helo", forwarded->helo},
                   {"orig_protocol", forwarded->protocol},
                   {"orig_id", forwarded->ident},
                   {"orig_source", forwarded->source}});
}

}  // namespace postern::session
