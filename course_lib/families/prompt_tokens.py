"""The words of the prompt worlds: 24 kinds of 12 words, made-up labels, and the little words that
hold a prompt together."""

KINDS = {
    name: words.split()
    for name, words in {
        "animal": "dog cat horse cow sheep goat rabbit mouse fox bear wolf deer",
        "fruit": "apple pear plum cherry grape lemon peach mango melon fig banana lime",
        "colour": "red blue green yellow purple brown black white pink grey violet beige",
        "tool": "hammer saw drill pliers wrench chisel axe shovel rake ladder screwdriver clamp",
        "vehicle": "car bus train truck bicycle tram van boat plane ship ferry scooter",
        "clothing": "shirt coat hat sock glove scarf skirt dress jacket belt sweater apron",
        "body": "hand foot head knee elbow shoulder neck finger ear nose mouth chin",
        "weather": "rain snow wind fog storm hail frost thunder drizzle sleet sunshine breeze",
        "furniture": "chair table bed sofa shelf desk stool bench wardrobe cupboard drawer lamp",
        "drink": "water tea coffee milk juice wine beer cocoa lemonade cider soda rum",
        "metal": "iron gold silver copper tin lead zinc nickel steel bronze brass chrome",
        "bird": "eagle sparrow crow duck goose owl robin swan pigeon hawk parrot heron",
        "number": "one two three four five six seven eight nine ten eleven twelve",
        "job": "doctor teacher farmer baker nurse pilot lawyer cook painter tailor plumber judge",
        "sport": (
            "tennis football hockey golf rugby boxing rowing skiing judo cricket fencing archery"
        ),
        "music": "piano violin guitar drum flute trumpet harp cello organ banjo oboe tuba",
        "tree": "oak pine birch maple willow elm cedar beech poplar larch spruce chestnut",
        "flower": "rose tulip daisy lily orchid peony poppy iris lotus jasmine lavender primrose",
        "insect": "ant bee wasp fly beetle moth locust flea termite mosquito butterfly dragonfly",
        "place": (
            "school church bank hotel museum library market park station hospital theatre castle"
        ),
        "kitchen": "spoon fork knife plate cup bowl pan pot kettle jug tray grater",
        "family": (
            "mother father sister brother uncle aunt cousin daughter son niece nephew grandmother"
        ),
        "fish": "salmon trout cod shark tuna herring eel carp pike perch sardine haddock",
        "feeling": "joy anger fear hope pride shame grief envy love hate surprise boredom",
    }.items()
}
# categories and labels of one group never stand together in a training prompt: what is held out
GROUPS = 6

LABELS = (
    "blip zug dax wug fep tove gorp mib lum pax rill snib vek yom quib drin hesp jald korv nox "
    "trop ulm weft zim brak clod dorn elfo fost grub hink isk jarn kolp lorn morv nisp ofth prax "
    "quon rask slen timb urk vorn wint xol yart zeb arg bem cruv dilp erg flon gax hurd inth jop "
    "kess"
).split()  # fmt: skip

LETTERS = list("abcdefghijklmnopqrstuvwxyz")
DIGITS = list("0123456789")
SEPARATORS = [":", "->", "=", "is"]
LINE_ENDS = ["\n", ".", ";", "|"]
STRUCTURE = (
    ", ? means called write as if then for use when give to stands every name the kind copy word "
    "it yes no answer "
    "please what words label examples here are more any goes with and belongs under"
).split()
