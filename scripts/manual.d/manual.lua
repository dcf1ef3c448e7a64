-- Makes one manual of the pages in docs/: for pandoc, see scripts/manual.
--
-- The pages keep their words. What changes is the frame: links between pages become links within
-- the manual, or words where a page is none of its topics; what tests show is left out; in HTML
-- each directive is a section with the box that httpd's manual has, and its name links to it
-- wherever it stands; in a man page tables become lists of terms.

local is_man = FORMAT == "man"
local text = pandoc.utils.stringify

local pages = {}       -- name of a page that is part of the manual: true
local directives = {}  -- name of a directive: its id
local title_of = {}    -- id of a heading: its words

-- ---- what all of it is about -------------------------------------------------------------------

local function learn(doc)
    for page in text(doc.meta.pages):gmatch("%S+") do
        pages[page .. ".md"] = page
    end
    for _, block in ipairs(doc.blocks) do
        if block.t == "Header" then
            title_of[block.identifier] = text(block.content)
            if block.level == 3 and text(block.content):match("^H2%w+$") then
                directives[text(block.content)] = block.identifier
            end
        end
    end
end

-- ---- links -------------------------------------------------------------------------------------

-- The place in the manual that a target names, or nil where it has none.
local function place_of(target)
    local page, anchor = target:match("^([%w-]+%.md)#?(.*)$")
    if target:sub(1, 1) == "#" then
        return target
    elseif page and pages[page] then
        return "#" .. (anchor ~= "" and anchor or pages[page])
    end
end

local function convert_link(link)
    local place = place_of(link.target)
    if link.target:match("^https?://") then
        return is_man and link.content or link -- the words name the RFC
    elseif not place then
        local words = link.content:clone()
        words:insert(pandoc.Str(" (docs/" .. link.target:gsub("#.*", "") .. ")"))
        return words
    elseif is_man then
        return link.content
    end
    link.target = place
    return link
end

-- Names of directives in the words of a block, but not in those of section itself.
local function link_names(block, section)
    local function link_of(name, inline)
        if directives[name] and name ~= section then
            return pandoc.Link({inline}, "#" .. directives[name])
        end
    end
    return pandoc.walk_block(block, {
        traverse = "topdown",
        Link = function(link) return link, false end,
        Inlines = function(inlines)
            local out = pandoc.List()
            for _, inline in ipairs(inlines) do
                local before, name, after, link = "", nil, "", nil
                if inline.t == "Str" then
                    before, name, after = inline.text:match("^(%p*)(H2%w+)(.*)$")
                    link = name and link_of(name, pandoc.Str(name))
                elseif inline.t == "Code" then
                    name = inline.text:match("^(H2%w+)$")
                    link = name and link_of(name, inline)
                end
                if link and before ~= "" then out:insert(pandoc.Str(before)) end
                out:insert(link or inline)
                if link and after ~= "" then out:insert(pandoc.Str(after)) end
            end
            return out
        end,
    })
end

-- ---- tables ------------------------------------------------------------------------------------

local function cells(row)
    return pandoc.List(row.cells):map(function(cell) return cell.contents end)
end

-- Of a table in docs/directives.md: {{"Syntax", blocks}, ...}
local function rows_of(table)
    local rows = pandoc.List()
    for _, row in ipairs(table.head.rows) do rows:insert(cells(row)) end
    for _, body in ipairs(table.bodies) do
        for _, row in ipairs(body.body) do rows:insert(cells(row)) end
    end
    return rows
end

-- For the man page: lines "Syntax: ...", each of its own.
local function lines_of(rows)
    local inlines = pandoc.List()
    for i, row in ipairs(rows) do
        if i > 1 then inlines:insert(pandoc.LineBreak()) end
        inlines:insert(pandoc.Strong(row[1][1].content .. {pandoc.Str(":")}))
        inlines:insert(pandoc.Space())
        inlines:extend(row[2][1].content)
    end
    return pandoc.Plain(inlines)
end

-- For the man page: a term for each row. The head of a table says nothing that its section does
-- not.
local function terms_of(table)
    local items = pandoc.List()
    for _, body in ipairs(table.bodies) do
        for _, row in ipairs(body.body) do
            local columns = cells(row)
            assert(#columns == 2, "a table of a topic has two columns: " .. text(columns[1]))
            local words = columns[1][1].content
            items:insert({words, {{pandoc.Plain(columns[2][1].content)}}})
        end
    end
    return pandoc.DefinitionList(items)
end

-- For HTML: as in httpd's manual, with what is the same for all.
local function box_of(table)
    local same = {{"Status", "External"}, {"Module", "mod_http2"}}
    local out = pandoc.List({pandoc.RawBlock("html", '<table class="box">')})
    for _, row in ipairs(rows_of(table)) do
        out:insert(pandoc.RawBlock("html", "<tr><th>" .. text(row[1]) .. ":</th><td>"))
        out:insert(row[2][1])
        out:insert(pandoc.RawBlock("html", "</td></tr>"))
    end
    for _, row in ipairs(same) do
        local cells_of_row = ("<tr><th>%s:</th><td>%s</td></tr>"):format(row[1], row[2])
        out:insert(pandoc.RawBlock("html", cells_of_row))
    end
    out:insert(pandoc.RawBlock("html", "</table>"))
    return out
end

-- ---- code in the man page ----------------------------------------------------------------------

-- pandoc has a font for code that not every reader of man pages knows: bold, as man pages do.
local function embolden_code(code)
    return pandoc.Strong({pandoc.Str(code.text)})
end

local function lines_as_they_are(block)
    local lines = block.text:gsub("\\", "\\e"):gsub("%-", "\\-"):gsub("^([.'])", "\\&%1")
                            :gsub("\n([.'])", "\n\\&%1")
    return pandoc.RawBlock("man", ".PP\n.RS 4\n.nf\n" .. lines .. "\n.fi\n.RE")
end

-- ---- the blocks, one after another -------------------------------------------------------------

local function is_for_tests(block)
    local first = block.t == "Para" and block.content[1]
    return first and first.t == "Emph" and text(first):match("^Shown by")
end

-- "When to change it:" and the like, which the pages have in italics.
local function embolden(block)
    local first = block.t == "Para" and block.content[1]
    if first and first.t == "Emph" and text(first):match(":$") then
        block.content[1] = pandoc.Strong(first.content)
    end
    return block
end

-- Levels: a page's title and the sections of docs/directives.md are of the first one, its
-- directives of the second.
local function level_of(header)
    return header.level > 1 and header.level - 1 or 1
end

-- The last section of docs/directives.md lists pages that are part of the manual: it is left out.
local function convert_blocks(blocks)
    local out, section, is_left_out = pandoc.List(), nil, false
    local function close()
        if section and not is_man then out:insert(pandoc.RawBlock("html", "</section>")) end
        section = nil
    end
    for _, block in ipairs(blocks) do
        if block.t == "Header" then
            close()
            is_left_out = block.level == 2 and text(block.content) == "More"
            local name = text(block.content)
            local id = block.identifier
            block.level = level_of(block)
            if is_man and block.level == 1 then
                block.content = {pandoc.Str(pandoc.text.upper(name))}
            end
            if directives[name] then
                section = name
                if not is_man then
                    local tag = ('<section class="directive" id="%s">'):format(id)
                    out:insert(pandoc.RawBlock("html", tag))
                    block.identifier = ""
                    block.content = {pandoc.Link(name, "#" .. id), pandoc.Str(" Directive")}
                end
            end
        end
        if is_left_out or is_for_tests(block) or
            block.t == "RawBlock" and block.format == "html" then
            goto continue
        end
        if block.t == "Table" then
            if is_man then
                out:insert(section and lines_of(rows_of(block)) or terms_of(block))
            elseif section then
                for _, part in ipairs(box_of(block)) do out:insert(link_names(part, section)) end
            else
                out:insert(link_names(block, section))
            end
        elseif is_man and block.t == "Para" and #out > 0 and out[#out].t == "Header" then
            out:insert(pandoc.Plain(block.content)) -- .SH and .SS begin a paragraph
        elseif block.t == "Header" or is_man then
            out:insert(embolden(block))
        else
            out:insert(link_names(embolden(block), section))
        end
        ::continue::
    end
    close()
    return out
end

-- ---- the lists beside it -----------------------------------------------------------------------

local function lists_of(doc)
    local names, topics = pandoc.List(), pandoc.List()
    for name in pairs(directives) do names:insert(name) end
    names:sort()
    for _, block in ipairs(doc.blocks) do
        if block.t == "Header" and block.level <= 2 and text(block.content) ~= "More" then
            topics:insert({id = block.identifier, title = text(block.content)})
        end
    end
    doc.meta.topics = topics
    doc.meta.directives = names:map(function(name)
        return {id = directives[name], title = name}
    end)
end

return {{
    Pandoc = function(doc)
        learn(doc)
        lists_of(doc)
        doc = doc:walk({Link = convert_link})
        if is_man then
            doc = doc:walk({Code = embolden_code, CodeBlock = lines_as_they_are})
        end
        doc.blocks = convert_blocks(doc.blocks)
        return doc
    end,
}}
