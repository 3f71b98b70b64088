#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// Addresses as they stand in the fields of a report.
///
/// Three forms meet here, and no others. An *envelope address* is what RCPT named: ASCII, or UTF-8
/// when the transaction had SMTPUTF8. An *original recipient* is the value of ORCPT with its xtext
/// decoded, "type;address", as mail::Recipient holds it. A *field value* is what these functions
/// return.
namespace postern::dsn {

/// RFC 6533 section 3: how characters beyond ASCII stand in an address of type utf-8.
enum class AddressForm : std::uint8_t {
  xtext,    ///< utf-8-addr-xtext, all ASCII: for message/delivery-status
  unitext,  ///< utf-8-addr-unitext: for message/global-delivery-status
};

/// An envelope address: "rfc822; user@example.com", or "utf-8; ..." when it is not ASCII.
std::string typed_address(std::string_view address, AddressForm form);

/// An original recipient: its own type and address, changed only where the form asks for it.
/// Nothing when it has no type or no address.
std::optional<std::string> typed_original(std::string_view original_recipient, AddressForm form);

/// RFC 6533 section 3: \x{...} read back, for "utf-8" addresses in either form. nullopt when it is
/// no such text.
std::optional<std::string> decode_utf8_address(std::string_view text);

}  // namespace postern::dsn
