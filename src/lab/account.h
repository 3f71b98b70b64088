#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lab/flow.h"

namespace postern::lab {

/// Who was responsible for a message, from when to when.
struct Custody {
  Duration from{};
  std::optional<Duration> to;  ///< nothing: still
  std::string holder;          ///< a name for people
};

/// What became of one message for one recipient.
struct MailAccount {
  std::string sender;
  std::string recipient;
  std::string subject;
  std::vector<Custody> custody;
  std::string end;  ///< "in bob's mailbox", "reported to ...", "nobody is told", "still waits"
};

/// A report that reached a mailbox.
struct ReportAccount {
  struct Line {
    std::string text;
    bool quoted = false;  ///< holds words of the reply
  };
  Duration at{};
  std::string to;
  std::string by;     ///< the id of the server that wrote it
  std::string kind;   ///< "failure", "delay", or another of RFC 3464's actions
  std::string about;  ///< who did not get the message
  std::string from;
  std::string subject;
  std::vector<Line> text;  ///< what a mail program shows
  std::string reply;       ///< the last that its writer had got
  bool quotes_reply = false;
  Duration written{};            ///< when its writer gave up, or told of the delay
  std::vector<std::string> way;  ///< ids of the servers that it passed, its writer first
};

/// What one user saw, in the order of time.
struct UserAccount {
  struct Sight {
    Duration at{};
    std::string text;
  };
  std::string address;
  std::vector<Sight> saw;
};

/// A history told by who was responsible, who reported, and who saw what.
struct Account {
  std::vector<MailAccount> mails;
  std::vector<ReportAccount> reports;
  std::vector<UserAccount> users;
};
Account account_of(const Flow& flow);

/// "mail.partner.example" for "partner"; the id when it is a program's.
std::string name_of_host(const Scenario& scenario, const std::string& id);
/// "5d 0:00:01", "0:05:00".
std::string format_since(Duration time);
/// The same reply without what differs each time: the case.
std::string without_case(std::string_view text);

}  // namespace postern::lab
