-- Backtracking over arrays, closures and early returns.
local N = tonumber(arg and arg[1]) or 11

local function place_ok(board, row, col)
  for r = 1, row - 1 do
    local c = board[r]
    if c == col or c - r == col - row or c + r == col + row then return false end
  end
  return true
end

local found = 0
local function add_queen(board, row)
  if row > N then
    found = found + 1
    return
  end
  for col = 1, N do
    if place_ok(board, row, col) then
      board[row] = col
      add_queen(board, row + 1)
    end
  end
end
add_queen({}, 1)
print(N, found)
