# postern_embed(ROOM FUNCTION file...): the texts of the files become part of the program: a source that defines
# std::span<const postern::EmbeddedText> postern::ROOM::FUNCTION(), in the order of the files.
function(postern_embed room function)
  set(entries "")
  foreach(file ${ARGN})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    get_filename_component(stem ${file} NAME_WE)
    file(READ ${file} text)
    string(APPEND entries "    {\"${stem}\", R\"~~~(${text})~~~\"},\n")
  endforeach()
  set(output ${CMAKE_BINARY_DIR}/embedded/${function}.cc)
  file(CONFIGURE OUTPUT ${output} @ONLY CONTENT [=[
// Made by cmake/embed.cmake.
#include "base/embedded.h"

#include <array>
#include <span>

namespace postern::@room@ {

std::span<const EmbeddedText> @function@() {
  static const auto texts = std::to_array<EmbeddedText>({
@entries@  });
  return texts;
}

}  // namespace postern::@room@
]=])
  target_sources(postern_${room} PRIVATE ${output})
endfunction()
