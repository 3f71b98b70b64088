# postern_embed(TARGET FUNCTION file...): the texts of the files become part of the program: a source that defines
# std::span<const postern::lab::EmbeddedText> postern::lab::FUNCTION(), in the order of the files.
function(postern_embed target function)
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
#include "lab/embedded.h"

#include <array>

namespace postern::lab {

std::span<const EmbeddedText> @function@() {
  static const auto texts = std::to_array<EmbeddedText>({
@entries@  });
  return texts;
}

}  // namespace postern::lab
]=])
  target_sources(${target} PRIVATE ${output})
endfunction()
