"""More training data out of the data there is (数据增强): sentences and images changed so that the label stays true.

`augment_data` takes a sentence and gives a sentence. Four of its methods change single words and are called EDA, easy
data augmentation; the fifth, back-translation (回译), says the sentence in another language and back.

Sources: J. Wei and K. Zou, "EDA: Easy Data Augmentation Techniques for Boosting Performance on Text Classification
Tasks", EMNLP 2019, section 2; R. Sennrich, B. Haddow and A. Birch, "Improving Neural Machine Translation Models with
Monolingual Data", ACL 2016, section 3 (back-translation).
"""

import math
import random
import re
from itertools import product

import torch
import torch.nn.functional as F

from bmcourse import data
from bmcourse.models.embeddings import nearest

# The course's own phrase table: a meaning a line, in English and in Chinese. It is no dictionary: there are meanings
# for a lesson to work with, each phrase stands in one of them, and no phrase is or has a negation.
PHRASE_TABLE = """
film, movie | 电影, 影片
big, large | 大型, 大的
small, little | 小型, 小的
huge, enormous | 巨大, 庞大
fast, quick | 快速, 迅速
quickly, rapidly | 很快地, 迅速地
begin, start | 开始, 着手
finish, complete | 完成, 做完
stop, halt | 停止, 停下
happy, glad | 高兴, 开心
sad, sorrowful | 难过, 伤心
beautiful, lovely | 美丽, 漂亮
difficult, tricky | 困难, 棘手
easy, simple | 简单, 容易
important, significant | 重要, 要紧
buy, purchase | 购买, 买下
help, aid | 帮助, 协助
error, mistake | 错误, 差错
answer, reply | 回答, 答复
car, automobile | 汽车, 轿车
doctor, physician | 医生, 大夫
teacher, instructor | 老师, 教师
student, pupil | 学生, 学员
street, road | 街道, 马路
city, town | 城市, 城镇
journey, trip | 旅行, 旅程
good, fine | 好的, 良好
bad, poor | 糟糕, 差劲
great, wonderful | 很棒, 精彩
terrible, awful | 可怕, 糟透了
boring, dull | 乏味, 枯燥
funny, amusing | 好笑, 有趣
clever, smart | 聪明, 机灵
strange, weird | 奇怪, 古怪
very, extremely | 十分, 极其
often, frequently | 经常, 常常
usually, normally | 通常, 一般来说
sometimes, occasionally, now and then | 有时, 偶尔
now, currently, at present | 现在, 目前
at once, immediately | 立刻, 马上
therefore, thus | 因此, 所以
many, a lot of, lots of | 许多, 很多
several, a few | 几个, 若干
enough, sufficient | 足够, 充足
almost, nearly | 几乎, 将近
approximately, roughly | 大约, 大概
perhaps, maybe | 也许, 或许
in order to, so as to | 为了, 以便
for example, for instance | 例如, 比如
because of, due to | 由于, 因为
according to, in line with | 根据, 按照
instead of, in place of | 代替, 取代
via, by means of | 通过, 借助
think, believe | 认为, 觉得
show, display | 显示, 展示
tell, inform | 告诉, 通知
try, attempt | 尝试, 试图
need, require | 需要, 要求
want, wish | 想要, 希望
choose, select | 选择, 挑选
keep, retain | 保留, 留住
get, obtain | 获取, 取得
give, provide | 提供, 给出
return, give back | 返回, 交还
create, make | 创建, 创造
generate, produce | 生成, 产生
construct, build | 构造, 构建
send, transmit | 发送, 传送
use, employ | 使用, 运用
change, alter | 改变, 更改
remove, delete | 删除, 移除
find, locate | 查找, 寻找
check, verify | 检查, 核对
run, execute | 运行, 执行
call, invoke | 调用, 唤起
raise, throw | 抛出, 引发
convert, transform | 转换, 转化
compute, calculate | 计算, 算出
save, store | 保存, 存储
close, shut | 关闭, 关上
allow, permit | 允许, 准许
contain, include | 包含, 包括
happen, occur | 发生, 出现
ensure, guarantee | 确保, 保证
initialize, set up | 初始化, 设置好
predict, forecast | 预测, 预报
measure, gauge | 测量, 度量
learn, study | 学习, 研习
directory, folder | 目录, 文件夹
function, routine | 函数, 例程
argument, parameter | 参数, 实参
element, item | 元素, 项目
bug, defect | 缺陷, 毛病
example, sample | 例子, 示例
result, outcome | 结果, 成果
part, portion | 部分, 份额
given, specified | 给定, 指定
whole, entire | 整个, 全部
new, fresh | 新的, 全新
same, identical | 相同, 同样
valid, legal | 有效, 合法
empty, blank | 空白, 空的
main, chief | 主要, 首要
maximum, largest | 最大, 最大的
minimum, smallest | 最小, 最小的
picture, image | 图片, 图像
dataset, data set | 数据集, 数据集合
speed, pace | 速度, 速率
computer, machine | 计算机, 电脑
program, application | 程序, 应用程序
current, present | 当前, 当下
information, details | 信息, 详情
single, sole | 单个, 唯一
until, till | 直到, 直至
each, every | 每个, 每一
handle, treat | 处理, 对待
internal, inner | 内部, 里面的
used, employed | 被使用, 被运用
called, invoked | 被调用, 被唤起
returns, gives back | 会返回, 会交还
creates, makes | 会创建, 会创造
"""
MEANINGS = [[side.split(", ") for side in line.split(" | ")] for line in PHRASE_TABLE.strip().splitlines()]
SYNONYMS = {
    phrase: [other for other in phrases if other != phrase]
    for meaning in MEANINGS
    for phrases in meaning
    for phrase in phrases
}

CHINESE = "\u4e00-\u9fff"
LETTER = rf"[^\W{CHINESE}]"
EDGE = rf"(?<!{LETTER}(?={LETTER}))"  # where no word of letters is cut in two
# Chinese words of the table, other Chinese characters one by one, words of letters, spaces, and all the rest.
PIECES = re.compile(
    "|".join(sorted((phrase for phrase in SYNONYMS if not phrase.isascii()), key=len, reverse=True))
    + rf"|[{CHINESE}]|{LETTER}+(?:['’-]{LETTER}+)*|\s+|.",
    re.DOTALL,
)
NEGATION = (
    rf"{EDGE}(?:no|not|none|nor|never|neither|nobody|nothing|nowhere|non|cannot|without|hardly|barely|scarcely){EDGE}"
    rf"|n['’]t{EDGE}|[不没無无未别勿莫否非]"
)
METHODS = "synonyms", "insert", "swap", "delete"


# ---------------------------------------------------------------- EDA: four operations on the words of a sentence


def synonym_replacement(words, count, synonyms, rng):
    """The words, `count` of them replaced by a synonym; fewer where fewer have one. Wei and Zou 2019, section 2."""
    words = words.copy()
    known = [i for i, word in enumerate(words) if synonyms(word)]
    for i in rng.sample(known, min(count, len(known))):
        words[i] = rng.choice(synonyms(words[i]))
    return words


def random_insertion(words, count, synonyms, rng):
    """The words, `count` times a synonym of any of them in front of any of them. Wei and Zou 2019, section 2."""
    new = [synonym for word in words for synonym in synonyms(word)]
    words = words.copy()
    for _ in range(count if new else 0):
        i = rng.randrange(len(words))
        words[i] = side_by_side(rng.choice(new), words[i])
    return words


def random_swap(words, count, rng):
    """The words, `count` times any two of them in each other's place. Wei and Zou 2019, section 2."""
    words = words.copy()
    for _ in range(count):
        i, j = rng.sample(range(len(words)), 2)
        words[i], words[j] = words[j], words[i]
    return words


def random_deletion(words, rate, rng):
    """The words, each gone, "", with probability `rate`; one always stays. Wei and Zou 2019, section 2."""
    safe = rng.randrange(len(words))
    return [word if i == safe or rng.random() >= rate else "" for i, word in enumerate(words)]


# ---------------------------------------------------------------- a sentence in, a sentence out


def augment_data(
    sentence,
    method="eda",
    *,
    seed=0,
    rate=0.1,
    protected=(),
    synonyms=None,
    split=None,
    translators=None,
):
    """The sentence, said a little differently; `seed`, an integer, chooses how, and chooses the same on every machine.

    >>> augment_data("The film is not easy to find.", "synonyms", rate=1.0)
    'The movie is not simple to locate.'

    `method` is "synonyms", "insert", "swap" or "delete", "eda" for one of these by chance, or "back_translation".
    `rate` is the share of words to change, rounded up; for "delete" the chance of each, and back-translation has none.
    Negations, the words or phrases in `protected`, numbers, spaces and punctuation stay. A sentence with fewer than two
    words that may change comes back as it is, and so does one in which no word has a synonym.

    `synonyms(word)` gives a list; without it the course's own small table is used, `known_synonyms`.
    `split(text)` cuts into pieces that make the text when joined: `list` for characters, or a Chinese segmenter;
    without it `split_pieces`. `translators` are two functions from text to text, there and back; without them the
    course's own phrase table is used, which knows some 120 meanings and no grammar. A translation that loses or
    gains a negation or a protected word is not taken: the sentence comes back as it is.
    Raises ValueError for anything else. Sources: Wei and Zou 2019, section 2; Sennrich et al. 2016, section 3.
    """
    _check_arguments(sentence, method, seed, rate, protected)
    split, synonyms = split or split_pieces, synonyms or known_synonyms
    pieces = _all_pieces(sentence, split)
    rng = random.Random(f"{seed} {sentence!a}")  # with the seed alone, all sentences would lose the same places
    free = _free_places(pieces, protected)
    if len(free) < 2:
        return sentence
    if method == "back_translation":
        translated = back_translate(sentence, *translators or phrase_translators(sentence, rng, protected))
        same = [found[0].lower() for found in _untouchable(translated, protected)]
        return translated if same == [found[0].lower() for found in _untouchable(sentence, protected)] else sentence

    def harmless(word):
        return [new for new in synonyms(word) if not _untouchable(new, protected)]

    words, count = [pieces[i] for i in free], math.ceil(rate * len(free))
    match rng.choice(METHODS) if method == "eda" else method:
        case "synonyms":
            words = synonym_replacement(words, count, harmless, rng)
        case "insert":
            words = random_insertion(words, count, harmless, rng)
        case "swap":
            words = random_swap(words, count, rng)
        case "delete":
            words = random_deletion(words, rate, rng)
    for i, word in zip(free, words, strict=True):
        pieces[i] = word
    return _joined(pieces)


def _check_arguments(sentence, method, seed, rate, protected):
    if not isinstance(sentence, str):
        raise ValueError(
            f"A sentence is text; {sentence!r:.60} came, of the type {type(sentence).__name__}. "
            f"Pass one sentence, and call once for each."
        )
    if method not in (*METHODS, "eda", "back_translation"):
        raise ValueError(
            f'The method {method!r} is unknown. Choose "eda", "back_translation" or one of {", ".join(METHODS)}.'
        )
    if not isinstance(seed, int):
        raise ValueError(f"The seed is {seed!r}; it must be an integer, so that the same words come again.")
    if not 0 <= rate <= 1:
        raise ValueError(f"The rate is {rate}; it is a share of the words, from 0 to 1.")
    if not isinstance(protected, list | tuple | set) or not all(word and isinstance(word, str) for word in protected):
        raise ValueError(f"protected is {protected!r}; it must be a list of words, none of them empty.")


def split_pieces(text):
    """The pieces that make up a text: words, spaces, single other signs, and Chinese by the words of our table.

    >>> split_pieces("Don't stop, 3 电影很好!")
    ["Don't", ' ', 'stop', ',', ' ', '3', ' ', '电影', '很', '好', '!']
    """
    return PIECES.findall(text)


def _all_pieces(sentence, split):
    pieces = list(split(sentence))
    if "".join(pieces) != sentence:
        raise ValueError(
            f"The pieces of `split` do not make the sentence again: {sentence!r:.60} became {''.join(pieces)!r:.60}. "
            f"Use one that keeps the spaces, such as `list`, or leave `split` out."
        )
    return pieces


def _untouchable(text, protected):
    """Where negations and protected phrases stand in a text, as matches."""
    patterns = [NEGATION, *(f"{EDGE}{re.escape(phrase)}{EDGE}" for phrase in protected)]
    return [found for pattern in patterns for found in re.finditer(pattern, text, re.IGNORECASE)]


def _free_places(pieces, protected):
    """The places of the pieces with letters, of which no character is in a negation or a protected phrase."""
    fixed = {place for found in _untouchable("".join(pieces), protected) for place in range(*found.span())}
    free, end = [], 0
    for i, piece in enumerate(pieces):
        start, end = end, end + len(piece)
        if any(map(str.isalpha, piece)) and fixed.isdisjoint(range(start, end)):
            free.append(i)
    return free


def side_by_side(first, second):
    """Two words with a space between them, or without one if either is Chinese."""
    return first + second if re.search(f"[{CHINESE}]", first + second) else f"{first} {second}"


def _joined(pieces):
    """The pieces as a text, in which a word that is gone, "", takes the space before it along, or else that behind."""
    kept, skip = [], False
    for piece in pieces:
        if piece:
            kept += [] if skip and piece.isspace() else [piece]
            skip = False
        elif kept and kept[-1].isspace():
            kept.pop()
        else:
            skip = True
    return "".join(kept)


# ---------------------------------------------------------------- where synonyms come from


def known_synonyms(word):
    """The synonyms of a word in the course's own table, a list, with a capital where the word has one."""
    return [_capital_of(word, synonym) for synonym in SYNONYMS.get(word.lower(), [])]


def learned_synonyms(words, vectors, count=3):
    """A function for `synonyms`: the `count` words whose vectors (V, C) are nearest to those of a word.

    `words` (V,) are what frequent_words gives, `vectors` what train_word_vectors does. Words that are used alike need
    not mean the same: near "left" lies "right". Look before you trust.
    """
    number_of = {word: number for number, word in enumerate(words)}
    return lambda word: [words[i] for i in nearest(vectors, number_of[word], count)] if word in number_of else []


def _capital_of(word, other):
    return other[0].upper() + other[1:] if word[0].isupper() else other


# ---------------------------------------------------------------- back-translation


def back_translate(sentence, there, back):
    """back(there(sentence)): what is left of a sentence that was said in another language and back.

    `there` and `back` are functions from text to text, such as two translation models. A capital at the start stays.
    Raises ValueError when a translator gives no text. Source: Sennrich et al. 2016, section 3.
    """
    text = sentence
    for name, translate in (("there", there), ("back", back)):
        translated = translate(text)
        if not isinstance(translated, str):
            raise ValueError(
                f"The translator `{name}` made a {type(translated).__name__} of {text!r:.60}; it must give text."
            )
        text = translated
    return text[:1].upper() + text[1:] if sentence[:1].isupper() else text


def phrase_translators(sentence, rng, protected=()):
    """The course's own two translators, there and back, which know PHRASE_TABLE and leave all other words as they are.

    A sentence with Chinese characters goes to English and back, any other to Chinese and back; of several translations
    `rng` chooses one. Phrases that contain a word of `protected` are not translated.
    """
    table = MEANINGS
    if protected:
        table = [[[p for p in side if not _untouchable(p, protected)] for side in meaning] for meaning in MEANINGS]
    if re.search(f"[{CHINESE}]", sentence):  # thin spaces part the English from the Chinese, and go again
        pairs = [(chinese, [f"\u2009{phrase}\u2009" for phrase in english]) for english, chinese in table]
    else:
        pairs = table
    there = {phrase: other for these, other in pairs for phrase in these if other}
    back = {phrase: these for these, other in pairs for phrase in other if these}
    return _phrase_translator(there, rng), _phrase_translator(back, rng)


def _phrase_translator(table, rng):
    """A function that replaces each phrase in a text, the longest first, by one of `table[phrase]`."""
    phrases = "|".join(sorted(table, key=len, reverse=True)) or "(?!)"  # which stands nowhere

    def translation(found):
        phrase = found[0]
        return _capital_of(phrase, rng.choice(table.get(phrase.lower(), [phrase])))  # ı is no i, though it matches

    return lambda text: re.sub(f"(?<!-){EDGE}(?:{phrases}){EDGE}(?!-)", translation, text, flags=re.IGNORECASE)


# ---------------------------------------------------------------- images


def shifted(images, generator, most=1):
    """Images (N, height, width), each moved by up to `most` pixels down or up, and right or left.

    Raises ValueError when nothing of an image might be left.
    """
    moves = torch.randint(-most, most + 1, (len(images), 2), generator=generator)
    moved = torch.empty_like(images)
    for move in product(range(-most, most + 1), repeat=2):
        here = (moves == torch.tensor(move)).all(dim=1)
        moved[here] = data.shift(images[here], *move)
    return moved


def rotated(images, generator, most=15.0):
    """Images (N, height, width), each turned by up to `most` degrees one way or the other about its centre."""
    return rotate(images, (2 * torch.rand(len(images), generator=generator) - 1) * most)


def rotate(images, degrees):
    """Images (N, height, width), turned anticlockwise by `degrees` (N,); what comes in from outside is 0.

    A new pixel is the mean of the four old ones around where it comes from, the nearest weighing most.
    """
    cosine, sine, zero = degrees.deg2rad().cos(), degrees.deg2rad().sin(), torch.zeros(len(images))
    turn = torch.stack([cosine, -sine, zero, sine, cosine, zero], dim=1).view(-1, 2, 3)
    grid = F.affine_grid(turn, [len(images), 1, *images.shape[1:]], align_corners=False)
    return F.grid_sample(images[:, None], grid, align_corners=False)[:, 0]


def noisy(images, generator, deviation=0.1):
    """Images (N, height, width) plus normal noise of this standard deviation, kept between 0 and 1."""
    return (images + deviation * torch.randn(images.shape, generator=generator)).clamp(0, 1)
