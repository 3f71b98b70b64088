#pragma once

#include "app/configuration.h"
#include "settings/section.h"

namespace postern::app {

/// Reads [recipients] and its [[recipients.domain]]s, and the lists that they name. `relay` has
/// been read.
void read_recipients(settings::Section section, const Configuration::Relay& relay,
                     Configuration::Recipients& recipients);

policy::RecipientOptions recipient_options(const Configuration::Recipients& recipients);

}  // namespace postern::app
