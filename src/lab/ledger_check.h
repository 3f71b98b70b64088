#pragma once

#include <string>
#include <vector>

#include "lab/flow_run.h"

namespace postern::lab {

/// Several flows with several profiles, and what their ledgers said: whether the outcome was right
/// in every run, and how near the forecasts were.
class LedgerCheck {
 public:
  /// A flow that is over. One in which no Postern refused anybody adds nothing but its verdicts.
  void add(const std::string& scenario, const FinishedFlow& finished);

  /// How many forecasts of a scenario were near enough.
  struct Forecasts {
    std::string scenario;
    std::size_t made = 0;        ///< of mail that was given up, after LedgerAccount::judged_after
    std::size_t within_one = 0;  ///< retry interval, of giving up
    std::size_t first_sign_within_one = 0;
    [[nodiscard]] bool good() const;
  };
  [[nodiscard]] std::vector<Forecasts> forecasts() const;
  /// Every verdict of every flow was kept, no ledger was wrong at any moment, and of each
  /// scenario's forecasts ten of twelve were within one retry interval, of giving up and of the
  /// first sign alike. A forecast that was not made is not within it.
  [[nodiscard]] bool good() const;

  /// A table for people, and the same for programs.
  [[nodiscard]] std::string text() const;
  [[nodiscard]] std::string json() const;

 private:
  struct Row {
    std::string scenario;
    std::string profile;
    LedgerAccount account;
  };
  std::vector<Row> rows_;
  std::vector<std::string> broken_;  ///< verdicts that were not kept
  std::size_t flows_ = 0;
};

}  // namespace postern::lab
