#include "lab/demo.h"

#include <fmt/format.h>

#include "lab/dialogue.h"

namespace postern::lab {
namespace {

constexpr Duration patience = std::chrono::seconds(20);

struct Mail {
  const char* client;
  const char* helo;
  const char* recipient;
  const char* subject;
};

std::string content_of(const Mail& mail) {
  return fmt::format(
      "From: Ann <{}>\nTo: <{}>\nSubject: {}\nDate: Tue, 24 Nov 2026 09:00:00 +0000\n"
      "Message-ID: <1@partner.example>\n\nGood morning,\nthe offer is attached to the next "
      "letter.\nAnn\n",
      LittleWorld::sender, mail.recipient, mail.subject);
}

std::string indented(std::string_view text) {
  std::string shown;
  while (!text.empty()) {
    const auto end = text.find('\n');
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    shown += fmt::format("    {}\n", line);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return shown;
}

io::Task<Result<DialogueReply>> talk(Dialogue& dialogue, Mail mail) {
  CO_TRY_VOID(co_await dialogue.command(fmt::format("EHLO {}", mail.helo)));
  CO_TRY_VOID(co_await dialogue.command(fmt::format("MAIL FROM:<{}>", LittleWorld::sender)));
  CO_TRY(auto reply, co_await dialogue.command(fmt::format("RCPT TO:<{}>", mail.recipient)));
  if (reply.code == 250) {
    CO_TRY_VOID(co_await dialogue.command("DATA"));
    CO_TRY(reply, co_await dialogue.content(content_of(mail)));
  }
  CO_TRY_VOID(co_await dialogue.command("QUIT"));
  co_return reply;
}

// Sends a mail as a server would, shows the dialogue, and wants `expected` as the deciding reply.
io::Task<Result<>> send(const io::World& world, LittleWorld& little_world, const Telling& tell,
                        Mail mail, int expected) {
  CO_TRY(auto dialogue,
         co_await Dialogue::open(world, *IpAddress::parse(mail.client), little_world.gateway()));
  const auto reply = co_await talk(*dialogue, mail);
  tell(indented(dialogue->transcript()));
  if (!reply) co_return fail(reply.error());
  if (reply->code != expected)
    co_return our_failure(Cause::other, fmt::format("the story wants {}, Postern said {}", expected,
                                                    reply->lines.front()));
  co_return Result<>{};
}

io::Task<Result<>> tell_confirmed(const io::World& world, LittleWorld& little_world,
                                  const Telling& tell) {
  tell(
      "\n1. A client whose name is confirmed gets through\n\n"
      "   127.1.0.1 has the PTR record mail.partner.example, and that name has the address "
      "127.1.0.1.\n\n");
  const Mail mail{LittleWorld::confirmed_client, "mail.partner.example", LittleWorld::recipient,
                  "The offer"};
  CO_TRY_VOID(co_await send(world, little_world, tell, mail, 250));
  CO_TRY(const Letter letter,
         co_await little_world.company().take(LittleWorld::recipient, world.clock.in(patience)));
  tell("\n   250 meant: on disk. Postern has passed it on; this lies in bob's mailbox now:\n\n" +
       indented(letter.content));
  co_return Result<>{};
}

io::Task<Result<>> tell_nameless(const io::World& world, LittleWorld& little_world,
                                 const Telling& tell) {
  tell(
      "\n2. A client without a name is refused, for now\n\n"
      "   127.2.0.1 has no PTR record. Postern answers 450 at RCPT, with the cause and a case "
      "number.\n\n");
  const Mail mail{LittleWorld::nameless_client, "mail.partner.example", LittleWorld::recipient,
                  "The offer"};
  CO_TRY_VOID(co_await send(world, little_world, tell, mail, 450));
  tell(
      "\n   Postern has not taken the message, so it will send nothing to anybody. The sender's "
      "server keeps it, tries\n"
      "   again for hours or days, and reports to its own user, quoting this text, if nobody mends "
      "the DNS.\n");
  co_return Result<>{};
}

io::Task<Result<>> tell_broken_dns(const io::World& world, LittleWorld& little_world,
                                   const Telling& tell) {
  tell(
      "\n3. A DNS that does not answer is not held against the sender\n\n"
      "   Whether 127.5.0.1 has a name cannot be found out at present: 451, \"try again later\", "
      "never \"no PTR record\".\n\n");
  const Mail mail{LittleWorld::broken_dns_client, "mail.other.example", LittleWorld::recipient,
                  "The offer"};
  co_return co_await send(world, little_world, tell, mail, 451);
}

io::Task<Result<>> tell_report(const io::World& world, LittleWorld& little_world,
                               const Telling& tell) {
  tell(
      "\n4. What Postern has accepted, it delivers or reports\n\n"
      "   The client is confirmed, and Postern relays for company.example; but there is no mailbox "
      "\"nobody\" there,\n"
      "   which the company's server says only when Postern delivers.\n\n");
  const Mail mail{LittleWorld::confirmed_client, "mail.partner.example",
                  LittleWorld::no_such_recipient, "For nobody"};
  CO_TRY_VOID(co_await send(world, little_world, tell, mail, 250));
  CO_TRY(const Letter report,
         co_await little_world.partner().take(LittleWorld::sender, world.clock.in(patience)));
  if (!report.reverse_path.empty())
    co_return our_failure(Cause::other, "a report must come from the null reverse path");
  tell(
      "\n   So Postern owes a report. It has come to ann's mailbox, at her own server, from the "
      "null sender <>:\n\n" +
      indented(report.content));
  co_return Result<>{};
}

}  // namespace

io::Task<Result<>> tell_demo(const io::World& world, LittleWorld& little_world, Telling tell) {
  tell(
      fmt::format("Postern runs at {}, with the option \"Reject unknown IP address\" on, between\n"
                  "mail.partner.example and mail.company.example. Everything below happens now, on "
                  "this machine.\n",
                  little_world.gateway().text()));
  CO_TRY_VOID(co_await tell_confirmed(world, little_world, tell));
  CO_TRY_VOID(co_await tell_nameless(world, little_world, tell));
  CO_TRY_VOID(co_await tell_broken_dns(world, little_world, tell));
  CO_TRY_VOID(co_await tell_report(world, little_world, tell));
  co_return Result<>{};
}

}  // namespace postern::lab
