#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "settings/diagnostic.h"

namespace postern::upstream {

/// How sure the times of a profile are.
enum class Confidence : std::uint8_t { source, vendor, field };
std::string_view confidence_name(Confidence confidence);

/// With which word a client began its session.
enum class Greeting : std::uint8_t { unknown, helo, ehlo };
/// "unknown", "helo", "ehlo".
std::string_view greeting_name(Greeting greeting);

/// What a mail server does with a message that is answered 4xx, as profiles.toml says it.
struct Profile {
  std::string name;
  std::string product;
  std::vector<Duration> retry;  ///< the waits between attempts
  Duration then{};              ///< repeats the last until give_up; 0: never again
  Duration delay_notice{};      ///< 0: none
  Duration give_up{};
  bool reports = true;
  bool mime = true;  ///< reports are multipart/report, not plain text
  bool quotes_reply = false;
  std::string report_from;  ///< as the reader sees it, see profiles.toml
  std::string from;         ///< as the From field has it
  std::string report_subject;
  std::string report_text;
  std::string refused_text;  ///< after a 5xx, when that is another text than `report_text`
  std::string delay_subject;
  std::string delay_text;
  Confidence confidence = Confidence::field;
  std::vector<std::string>
      helo;  ///< how it names itself, lower case; "*.example.com" for all below
  Greeting greeting = Greeting::ehlo;  ///< `unknown`: either
  double share = 1;                    ///< of the servers one meets, in parts of about 100

  /// The wait after the attempt with this number, counted from 1.
  [[nodiscard]] Duration wait_after(std::size_t attempt) const;
  /// When it tries, after the arrival, while every attempt is answered 4xx and takes no time; the
  /// last one is at give_up.
  [[nodiscard]] std::vector<Duration> attempts() const;
  /// Whether and when its user first hears that something is wrong; 0: never.
  [[nodiscard]] Duration first_sign() const;
};

/// Several, in the order of their file.
struct Profiles {
  std::vector<Profile> all;
  std::vector<settings::Diagnostic> diagnostics;

  [[nodiscard]] const Profile* find(std::string_view name) const;
  [[nodiscard]] std::vector<std::string> names() const;
};

/// Reads the text of a file in the form of profiles.toml; `file` is its name, for diagnostics.
Profiles read_profiles(std::string_view text, std::string file);
/// Those that are part of the program.
const Profiles& shipped_profiles_read();

}  // namespace postern::upstream
