-- Objects with methods, closures and strings: an inventory that is filled, sold from and reported,
-- in rounds, with the collector at work in between.
local seed = 7
local function draw(limit)
  seed = (seed * 1103515245 + 12345) % 2147483648
  return seed // 65536 % limit
end

local Item = {}
Item.__index = Item
function Item.new(name, price)
  return setmetatable({ name = name, price = price, history = {} }, Item)
end
function Item:sell(day)
  self.history[#self.history + 1] = { day = day, paid = self.price * (90 + draw(20)) // 100 }
  return function() return self.name .. "@" .. day end
end

local stock, receipts = {}, {}
for day = 1, 60 do
  for _ = 1, 60 do
    local item = Item.new("item " .. draw(400) .. " of day " .. day, 100 + draw(900))
    stock[#stock + 1] = item
  end
  for _ = 1, 90 do
    local place = draw(#stock) + 1
    receipts[#receipts + 1] = stock[place]:sell(day)
    if draw(3) == 0 then
      stock[place] = stock[#stock]
      stock[#stock] = nil
    end
  end
  if day % 7 == 0 then
    table.sort(stock, function(a, b) return a.name < b.name end)
    local words = {}
    for _, receipt in ipairs(receipts) do words[#words + 1] = receipt() end
    receipts = {}
    print(day, #stock, #table.concat(words, " "))
  end
end
