#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ledger/deferral_row.h"
#include "ledger/recorded_mail.h"
#include "ledger/recorder.h"

namespace postern::ledger {

/// A refusal as it was recorded.
struct RecordedRefusal {
  std::int64_t id = 0;
  Refusal refusal;
  /// When its lookups were made; nullopt: they are not kept any more, or do not read, and
  /// `refusal.lookups` is empty but for the address.
  std::optional<WallTime> looked_up;
  std::optional<std::int64_t> deferral;  ///< that it belongs to
};

/// All recipients of one client that were answered with the same case id; one at least, in the
/// order of their answers.
struct Case {
  std::vector<RecordedRefusal> recipients;
  std::size_t left_out = 0;  ///< recipients beyond Archive::recipients_max
};

/// A deferral with what its last refusal said, and what it has come to.
struct ListedDeferral {
  std::int64_t id = 0;
  Deferral deferral;
  std::string state;    ///< empty: its refusals are not kept any more
  std::string case_id;  ///< the same
  Assessment assessment;
};

/// Which deferrals. All that is given has to hold.
struct DeferralFilter {
  std::optional<Outcome> outcome = {};
  std::optional<IpNetwork> client = {};  ///< one of the addresses that tried
  /// "ann@example.com", "@example.com", or "<>" for the null reverse path, in any case.
  std::string sender = {};
  std::string recipient = {};
  std::string state = {};              ///< of one of its refusals
  std::optional<WallTime> since = {};  ///< it began then or later
};

/// Some deferrals, the newest first.
struct DeferralPage {
  std::vector<ListedDeferral> deferrals;
  /// There may be more: ask for those before this id.
  std::optional<std::int64_t> before;
};

/// Reads the ledger's database (docs/design/ledger.md), beside a server that writes it or without
/// one. Blocks for the disk, so it is for commands. What stands in the database is believed for
/// its shape only: times are bounded, JSON that does not read is left out; texts may hold any
/// bytes. Errors: the database cannot be read, with what is to be done; for the operator.
class Archive {
 public:
  static constexpr std::size_t recipients_max = 1000;  ///< of one case
  static constexpr std::size_t deferrals_max = 1000;   ///< on one page

  /// Error: Cause::not_found, no_permission, damaged, in_use; or `other` for one of a newer
  /// server.
  static Result<Archive> open(const std::string& path);
  Archive(Archive&&) noexcept;
  Archive& operator=(Archive&&) noexcept;
  ~Archive();

  /// The cases with this id, the newest first: ids are short, and after years one may come again.
  Result<std::vector<Case>> find_case(std::string_view case_id);
  Result<std::optional<RecordedDeferral>> find_deferral(std::int64_t id);
  /// The refusals behind the attempts of a deferral whose time it knows, and the one that ended it,
  /// as far as they are still kept; in the order of their time.
  Result<std::vector<RecordedRefusal>> refusals_of(const RecordedDeferral& deferral);
  /// Up to `count` deferrals that the filter wants with an id below `before`, assessed for `now`.
  Result<DeferralPage> deferrals(const DeferralFilter& filter, std::optional<std::int64_t> before,
                                 std::size_t count, WallTime now,
                                 const upstream::Profiles& profiles);

  /// Whether clients were refused lately before they named a recipient, so that no deferral tells
  /// of them.
  Result<bool> has_refused_early();

  /// Says what has to be mended of a client in this state, from its lookups.
  using CauseText = std::function<std::string(const std::string& state, const auth::Iprev&)>;
  /// What was recorded since then. Reads as much of the file as there is of that.
  /// `profiles` outlives the result.
  Result<RecordedMail> mail_since(
      WallTime since, WallTime now, const CauseText& cause,
      const upstream::Profiles& profiles = upstream::shipped_profiles_read());

 private:
  struct Opened;
  explicit Archive(std::unique_ptr<Opened> opened);
  std::unique_ptr<Opened> opened_;
};

}  // namespace postern::ledger
